import { join } from 'node:path';
import { createOrganization, createProject, findOrganizationBy, findProjectBy, registerApiKey, type Organization } from '@kilotoken/identity';
import { loopbackModelId } from '@kilotoken/contracts';
import { issueGrant, type GrantSource } from '@kilotoken/ledger';
import { applyListings, listPriceBook } from '@kilotoken/marketplace';
import { type Actor, actorSession, changeAs, createPool, operatorSession } from '@kilotoken/platform';
import { createControlClient, type ControlClient } from '@kilotoken/platform/prisma';
import { ensureDemoKeys, mintDemoKey, writeDemoKeys, type DemoKeys } from './demo-keys.js';
import { seedDemoPeople, type DemoPeople } from './demo-people.js';
import { demoListings, type DemoModel } from './demo-listings.js';

/**
 * Fills a database with the demo: models to sell, an organization with a package to try them, and one for benchmarks with
 * a balance that does not run out. It runs at every start and leaves existing rows as they are, balances included.
 */
export interface SeedDemo {
  /** The owner's login. */
  readonly databaseUrl: string;
  /** The control plane's login; null uses the owner's, because nobody has made one. */
  readonly controlUrl: string | null;
  /** The data folder, which keeps the keys (`demo-keys.json`, readable by its owner alone). */
  readonly home: string;
  /** The inference worker's address, such as http://127.0.0.1:8084. */
  readonly internalWorkerUrl: string;
  /** The model that the worker runs; null when it has none. */
  readonly localModel: DemoModel | null;
  /** The embedded database is marked as a demo; any other keeps its mark. */
  readonly embedded: boolean;
}

export interface SeededDemo extends DemoKeys, DemoPeople {
  readonly models: string[];
  readonly localModel: string | null;
  readonly loopbackModel: string;
}

interface DemoTenant {
  readonly slug: string;
  readonly name: string;
  readonly key: keyof DemoKeys;
  readonly amount: string;
  readonly source: GrantSource;
}

const tenants: readonly DemoTenant[] = [
  { slug: 'demo', name: 'Demo', key: 'apiKey', amount: '10', source: 'package' },
  { slug: 'bench', name: 'Bench', key: 'benchApiKey', amount: '1000000000', source: 'prepaid' },
];
const projectName = 'quickstart';
const seedActor: Actor = { kind: 'system', id: 'seed', name: null };

export const seedDemo = async ({ databaseUrl, controlUrl, home, internalWorkerUrl, localModel, embedded }: SeedDemo): Promise<SeededDemo> => {
  const keysFile = join(home, 'demo-keys.json');
  const prisma = createControlClient(controlUrl ?? databaseUrl, seedActor, { applicationName: 'kilotoken-seed', sessionOptions: operatorSession });
  try {
    if (embedded) await markAsDemo(databaseUrl);
    const listings = demoListings(internalWorkerUrl, localModel);
    await applyListings(prisma, 'seed', listings);
    let keys = ensureDemoKeys(keysFile);
    for (const tenant of tenants) {
      const usable = await seedTenant(prisma, tenant, keys[tenant.key], (key) => writeDemoKeys(keysFile, { ...keys, [tenant.key]: key }));
      keys = { ...keys, [tenant.key]: usable };
    }
    const demoOrganizationId = (await findOrganizationBy(prisma, tenants[0]!.slug))!.id;
    const people = await seedDemoPeople({ controlUrl: controlUrl ?? databaseUrl, home, demoOrganizationId, actor: seedActor });
    return { ...keys, ...people, models: listings.map(({ modelId }) => modelId), localModel: localModel?.id ?? null, loopbackModel: loopbackModelId };
  } finally {
    await prisma.$disconnect();
  }
};

/** Uses the owner's login, because only the owner may change a database's mark. */
const markAsDemo = async (databaseUrl: string): Promise<void> => {
  const owner = createPool({ connectionString: databaseUrl, max: 1, applicationName: 'kilotoken-seed', sessionOptions: actorSession(seedActor) });
  try {
    await owner.query("UPDATE database_mark SET kind = 'demo' WHERE kind = 'production'");
    // A load of the demo's history shifts the clock, and sets it back unless it is killed hard.
    await owner.query("UPDATE database_mark SET clock_shift = '0' WHERE kind = 'demo' AND clock_shift <> '0'");
  } finally {
    await owner.end();
  }
};

/** Returns the key to use: the kept one, or a new one if somebody has ended that. */
const seedTenant = async (prisma: ControlClient, tenant: DemoTenant, key: string, keepKey: (key: string) => void): Promise<string> => {
  const organization = await ensureOrganization(prisma, tenant);
  const project =
    (await findProjectBy(prisma, organization.id, projectName)) ?? (await createProject(prisma, { organizationId: organization.id, name: projectName }));
  const grant = { organizationId: organization.id, unit: 'USD', amount: tenant.amount, source: tenant.source, reference: `${tenant.slug}-${tenant.source}` };
  await changeAs(prisma, organization.id, (db) => issueGrant(db, grant));

  const place = { organizationId: organization.id, projectId: project.id, name: projectName };
  const { status } = await registerApiKey(prisma, place, key);
  if (status === 'active') return key;
  const fresh = mintDemoKey();
  keepKey(fresh);
  await registerApiKey(prisma, place, fresh);
  return fresh;
};

const ensureOrganization = async (prisma: ControlClient, { slug, name }: DemoTenant): Promise<Organization> =>
  (await findOrganizationBy(prisma, slug)) ?? createOrganization(prisma, { slug, name, priceBook: listPriceBook });
