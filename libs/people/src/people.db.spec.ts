import { createHmac, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { changeThrough, createKeyring, createControlPool, type Actor, type ControlPool } from '@kilotoken/platform';
import { MoneyDatabase } from '../../../test/support/money-database.js';
import { serviceUrl } from '../../../test/support/postgres.js';
import { ensureCompany } from './company.flow.js';
import { putMembership, removeMember, setMemberRole } from './membership.flow.js';
import { createPerson } from './person.flow.js';
import { endImpersonation, startImpersonation } from './session.flow.js';
import { createSignInPool } from './sign-in.flow.js';
import { signInUse } from './sign-in.js';
import { ViewerService } from './viewer.service.js';

const actor: Actor = { kind: 'kt', id: 'test', name: null };
const keyring = createKeyring([randomBytes(32).toString('hex')]);

let money: MoneyDatabase;
let pool: ControlPool;
let control: ControlPool;
let signIn: ControlPool;
let organizationId: string;

beforeAll(async () => {
  money = await MoneyDatabase.create();
  const apiUrl = serviceUrl(money.database.appUrl, 'api');
  pool = createControlPool(actor, { connectionString: apiUrl, max: 4, applicationName: 'test' });
  control = createControlPool(actor, { connectionString: serviceUrl(money.database.appUrl, 'control'), max: 1, applicationName: 'test', sessionOptions: '-c kilotoken.scope=platform' });
  signIn = createSignInPool({ connectionString: apiUrl, max: 2, applicationName: 'test sign-in' }, actor);
  organizationId = (await money.newTenant('10')).organizationId;
});
afterAll(async () => {
  await Promise.all([pool.end(), control.end(), signIn.end()]);
  await money.drop();
});

let people = 0;
const newPerson = async (): Promise<string> => (await createPerson(signIn, { email: `person-${(people += 1)}@example.com`, name: 'Somebody' }, 'a long password')).id;

describe('an organization', () => {
  it('keeps an owner, also when its two owners leave at the same moment', async () => {
    const [one, two] = [await newPerson(), await newPerson()];
    for (const personId of [one, two]) await putMembership(pool, { organizationId, personId, role: 'owner' });
    const left = await Promise.allSettled([removeMember(pool, { organizationId, personId: one }), setMemberRole(pool, { organizationId, personId: two, role: 'viewer' })]);
    expect(left.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(left.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'last_owner' } });
    expect(await money.sql("SELECT count(*)::int AS owners FROM membership WHERE organization_id = $1 AND role = 'owner'", [organizationId])).toEqual([{ owners: 1 }]);
  });

  it('has roles of its kind alone, and there is one company', async () => {
    const company = await ensureCompany(control);
    expect(await ensureCompany(control)).toBe(company);
    const personId = await newPerson();
    await expect(putMembership(pool, { organizationId, personId, role: 'admin' })).rejects.toMatchObject({ code: 'people_invalid' });
    await expect(putMembership(pool, { organizationId: company, personId, role: 'owner' })).rejects.toMatchObject({ code: 'people_invalid' });
  });
});

describe('an impersonation', () => {
  it('is seen from the next request on, and ends with the permission for it', async () => {
    const company = await ensureCompany(control);
    const [personId, admin] = [await newPerson(), await newPerson()];
    for (const [id, role] of [[admin, 'admin'], [personId, 'support']] as const) await putMembership(pool, { organizationId: company, personId: id, role });
    const sessionId = money.mintId();
    await signIn.query("INSERT INTO sign_in_session (id, person_id, token, expires_at) VALUES ($1, $2, 'a-token', now() + interval '1 hour')", [sessionId, personId]);
    const viewers = new ViewerService(pool, keyring, 'http://127.0.0.1:8081');
    const signature = createHmac('sha256', keyring.derive(signInUse)[0]!.secret).update('a-token').digest('base64');
    const impersonating = async () => (await viewers.resolve({ cookie: `kilotoken.session_token=${encodeURIComponent(`a-token.${signature}`)}` }))?.viewer.impersonating;
    expect(await impersonating()).toBeNull();
    await changeThrough(pool, organizationId, (db) => startImpersonation(db, { sessionId, personId, organizationId, reason: 'ticket 7' }));
    expect(await impersonating()).toBe(organizationId);
    await setMemberRole(pool, { organizationId: company, personId, role: 'seller' });
    expect(await impersonating()).toBeNull();
    await changeThrough(pool, organizationId, (db) => endImpersonation(db, { sessionId, personId }));
    await setMemberRole(pool, { organizationId: company, personId, role: 'support' });
    expect(await impersonating()).toBeNull();
    await expect(changeThrough(pool, organizationId, (db) => startImpersonation(db, { sessionId: money.mintId(), personId, organizationId, reason: 'x' }))).rejects.toMatchObject({ code: 'session_not_found' });
  });
});
