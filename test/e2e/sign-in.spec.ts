import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createPerson, createServiceToken, inviteMember, putMembership, revokeServiceToken, setPersonDisabled } from '@kilotoken/people';
import { createSignInPool } from '@kilotoken/people/sign-in';
import { createControlPool, createKeyring, type Actor, type ControlPool } from '@kilotoken/platform';
import { findFreePort } from '@kilotoken/tools/free-port';
import { createBackoffice, testSecretKey, type Backoffice } from '../support/backoffice.js';
import { AppProcess } from '../support/cluster-process.js';
import { MoneyDatabase } from '../support/money-database.js';
import { serviceUrl } from '../support/postgres.js';
import { until } from '../support/until.js';

/** The real api lets people in, and a real backoffice mails them their links. */

const actor: Actor = { kind: 'kt', id: 'test', name: null };
const password = 'correct horse battery';

let money: MoneyDatabase;
let api: AppProcess;
let backoffice: Backoffice;
let pool: ControlPool;
let signIn: ControlPool;
let organizationId: string;

beforeAll(async () => {
  money = await MoneyDatabase.create();
  organizationId = (await money.newTenant('10')).organizationId;
  const databaseUrl = serviceUrl(money.database.appUrl, 'api');
  const [port, metricsPort] = [await findFreePort(), await findFreePort()];
  const env = { HOST: '127.0.0.1', LOG_LEVEL: 'info', INTERNAL_TOKEN: randomBytes(16).toString('hex'), API_PORT: String(port), API_METRICS_PORT: String(metricsPort), APP_DATABASE_URL: databaseUrl, KILOTOKEN_SECRET_KEY: testSecretKey };
  api = new AppProcess({ app: 'api', name: `api-${randomBytes(3).toString('hex')}`, port, env });
  backoffice = await createBackoffice(money.database.appUrl);
  await Promise.all([api.start(), backoffice.start()]);
  pool = createControlPool(actor, { connectionString: databaseUrl, max: 2, applicationName: 'test' });
  signIn = createSignInPool({ connectionString: databaseUrl, max: 2, applicationName: 'test sign-in' }, actor);
}, 180_000);
afterAll(async () => {
  await Promise.all([api.kill(), backoffice.kill(), pool.end(), signIn.end()]);
  await money.drop();
});

const call = async (path: string, body: object | null, headers: Record<string, string> = {}): Promise<{ status: number; body: Record<string, unknown>; cookie: string }> => {
  const response = await fetch(`${api.url}${path}`, { method: body ? 'POST' : 'GET', headers: { 'content-type': 'application/json', ...headers }, ...(body && { body: JSON.stringify(body) }) });
  const text = await response.text();
  return { status: response.status, body: JSON.parse(text) as Record<string, unknown>, cookie: response.headers.getSetCookie().map((one) => one.split(';')[0]!).join('; ') };
};
const enter = (email: string, secret = password) => call('/api/auth/sign-in/email', { email, password: secret });
const session = async (cookie: string): Promise<unknown> => (await call('/api/auth/get-session', null, { cookie })).body;
const viewer = (headers: Record<string, string>) => call('/graphql', { query: '{ viewer { __typename } }' }, headers);

/** The link in the newest mail to an address. */
const linkTo = (email: string): Promise<URL> =>
  until(`a mail to ${email} is a file`, () => {
    const folder = join(backoffice.home, 'mail');
    const mails = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.eml')).sort().map((name) => readFileSync(join(folder, name), 'utf8')) : [];
    const mail = mails.filter((text) => text.includes(`To: ${email}`)).at(-1);
    const link = mail && /http:\/\/[^\s"<]+token=[\w=\s-]+?(?=\s*\n\s*\n|")/.exec(mail.replace(/=\n/g, '').replace(/=3D/g, '='))?.[0];
    return Promise.resolve(link ? new URL(link.trim()) : null);
  });

describe('the real api', () => {
  it('invites by mail, lets the invited in, and refuses them once they are disabled', async () => {
    await inviteMember(pool, { keyring: createKeyring([testSecretKey]), publicUrl: api.url }, { organizationId, email: 'bob@example.com', role: 'developer' });
    const link = await linkTo('bob@example.com');
    expect(link.pathname).toBe('/accept-invitation');
    expect((await call('/api/auth/invitations/accept', { token: link.searchParams.get('token'), name: 'Bob', password })).status).toBe(200);
    const { cookie, status } = await enter('bob@example.com');
    expect([status, await session(cookie)]).toEqual([200, expect.objectContaining({ user: expect.objectContaining({ name: 'Bob' }) })]);
    const { rows } = await signIn.query<{ id: string }>("SELECT id FROM person WHERE email = 'bob@example.com'");
    await setPersonDisabled(signIn, rows[0]!.id, true);
    expect([await session(cookie), (await enter('bob@example.com')).body['code']]).toEqual([null, 'INVALID_EMAIL_OR_PASSWORD']);
  });

  it('mails a link for a new password, which ends sessions of the old one', async () => {
    const { id } = await createPerson(signIn, { email: 'ada@example.com', name: 'Ada' }, password);
    await putMembership(pool, { organizationId, personId: id, role: 'owner' });
    const { cookie } = await enter('ada@example.com');
    expect((await call('/api/auth/request-password-reset', { email: 'ada@example.com' })).body).toEqual({ status: true });
    const link = await linkTo('ada@example.com');
    expect((await call('/api/auth/reset-password', { token: link.searchParams.get('token'), newPassword: 'another long password' })).status).toBe(200);
    expect(await session(cookie)).toBeNull();
    expect([(await enter('ada@example.com')).status, (await enter('ada@example.com', 'another long password')).status]).toEqual([401, 200]);
  });

  it('answers GraphQL to a session and to a service token until it is revoked', async () => {
    const { token, id } = await createServiceToken(pool, { organizationId, name: 'ci', role: 'viewer' });
    const { cookie } = await enter('ada@example.com', 'another long password');
    const answers = [await viewer({ cookie }), await viewer({ authorization: `Bearer ${token}` })];
    for (const { status, body } of answers) expect([status, body['errors'], (body['data'] as { viewer: unknown }).viewer]).toEqual([200, undefined, expect.anything()]);
    await revokeServiceToken(pool, { organizationId, id });
    const refused = await viewer({ authorization: `Bearer ${token}` });
    expect((refused.body['data'] as { viewer: unknown } | null)?.viewer ?? null).toBeNull();
  });

  it('never writes a password, a token or a link to its log', () => {
    expect(api.logs()).not.toMatch(/correct horse|another long|kst_|token=/);
  });
});
