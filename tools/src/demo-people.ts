import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Role } from '@kilotoken/access';
import { createPerson, createServiceToken, ensureCompany, getPerson, isActiveServiceToken, putMembership, replacePassword } from '@kilotoken/people';
import { createSignInPool } from '@kilotoken/people/sign-in';
import { AppError, createControlPool, operatorSession, type Actor, type ControlPool } from '@kilotoken/platform';
import { z } from 'zod';
import { readIfThere, writeAtomically } from './atomic-write.js';

/**
 * The people of a demo: one of each role, two of finance, none with a second factor; and an admin's service token. Passwords and token are random per
 * installation and the same after a restart. The database has their hashes only, so they are kept beside it, readable by the owner alone.
 */
export interface DemoUser {
  readonly role: Role;
  readonly email: string;
  readonly password: string;
  readonly organizationId: string;
}

export interface DemoPeople {
  readonly users: readonly DemoUser[];
  /** Acts as an admin of the company. */
  readonly serviceToken: string;
}

interface DemoPerson {
  readonly email: string;
  readonly name: string;
  readonly role: Role;
  readonly of: 'demo' | 'company';
}

const demoPeople: readonly DemoPerson[] = [
  { email: 'owner@demo.example', name: 'Olivia Owner', role: 'owner', of: 'demo' },
  { email: 'developer@demo.example', name: 'Dev Developer', role: 'developer', of: 'demo' },
  { email: 'billing@demo.example', name: 'Bill Billing', role: 'billing', of: 'demo' },
  { email: 'viewer@demo.example', name: 'Vera Viewer', role: 'viewer', of: 'demo' },
  { email: 'admin@company.example', name: 'Ada Admin', role: 'admin', of: 'company' },
  { email: 'finance@company.example', name: 'Fiona Finance', role: 'finance', of: 'company' },
  { email: 'finance2@company.example', name: 'Finn Finance', role: 'finance', of: 'company' },
  { email: 'support@company.example', name: 'Sam Support', role: 'support', of: 'company' },
  { email: 'sales-manager@company.example', name: 'Mara Manager', role: 'sales_manager', of: 'company' },
  { email: 'seller@company.example', name: 'Sol Seller', role: 'seller', of: 'company' },
];

const keptSchema = z.object({ passwords: z.record(z.string(), z.string().min(10)), serviceToken: z.string().nullable() });
type Kept = z.infer<typeof keptSchema>;

const passwordBytes = 15;
const tokenDays = 366;

export interface DemoPeopleSource {
  /** The control plane's login, or the owner's where nobody has made it. */
  readonly controlUrl: string;
  readonly home: string;
  readonly demoOrganizationId: string;
  readonly actor: Actor;
}

export const seedDemoPeople = async ({ controlUrl, home, demoOrganizationId, actor }: DemoPeopleSource): Promise<DemoPeople> => {
  const settings = { connectionString: controlUrl, max: 1, applicationName: 'kilotoken-seed' };
  const pool = createControlPool(actor, { ...settings, sessionOptions: operatorSession });
  const signIn = createSignInPool(settings, actor);
  const file = join(home, 'demo-people.json');
  let kept = readKept(file);
  const keep = (change: Partial<Kept>): void => {
    kept = { ...kept, ...change };
    writeAtomically(file, `${JSON.stringify(kept, null, 2)}\n`);
  };
  try {
    const company = await ensureCompany(pool);
    const users: DemoUser[] = [];
    for (const person of demoPeople) {
      const organizationId = person.of === 'demo' ? demoOrganizationId : company;
      const known = kept.passwords[person.email];
      const password = known ?? randomBytes(passwordBytes).toString('base64url');
      // Kept before anything depends on it.
      if (known === undefined) keep({ passwords: { ...kept.passwords, [person.email]: password } });
      await ensurePerson(pool, signIn, { ...person, organizationId, password, isNewPassword: known === undefined });
      users.push({ role: person.role, email: person.email, password, organizationId });
    }
    if (kept.serviceToken === null || !(await isActiveServiceToken(pool, company, kept.serviceToken))) {
      const { token } = await createServiceToken(pool, { organizationId: company, name: 'quickstart', role: 'admin', expiresInDays: tokenDays });
      keep({ serviceToken: token });
    }
    return { users, serviceToken: kept.serviceToken! };
  } finally {
    await Promise.all([pool.end(), signIn.end()]);
  }
};

/** A person who is there already stays as they are, but for a password that was lost with its file. */
const ensurePerson = async (pool: ControlPool, signIn: ControlPool, person: DemoPerson & { organizationId: string; password: string; isNewPassword: boolean }): Promise<void> => {
  const { email, name, password, isNewPassword, organizationId, role } = person;
  const known = await getPerson(signIn, email).catch((error: unknown) => {
    if (error instanceof AppError && error.code === 'person_not_found') return null;
    throw error;
  });
  if (known) {
    if (isNewPassword) await replacePassword(signIn, known.id, password);
    return;
  }
  const { id } = await createPerson(signIn, { email, name }, password);
  await putMembership(pool, { organizationId, personId: id, role });
};

const readKept = (file: string): Kept => {
  const text = readIfThere(file);
  if (text === null) return { passwords: {}, serviceToken: null };
  try {
    return keptSchema.parse(JSON.parse(text));
  } catch {
    // The cause is left out on purpose: it would quote the passwords.
    throw new AppError({ code: 'demo_people_damaged', kind: 'invalid', publicMessage: `${file} is damaged. Put it back from a backup, or delete it to get new passwords of the demo. Nothing was changed.` });
  }
};
