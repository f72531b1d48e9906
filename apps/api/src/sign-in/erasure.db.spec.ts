import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { requestOrDo } from '@kilotoken/accounts';
import { personMailPurpose, type PersonMail } from '@kilotoken/events';
import { createPerson, createServiceToken, erasePerson, inviteMember, putMembership } from '@kilotoken/people';
import { createSignInPool } from '@kilotoken/people/sign-in';
import { actingAs, changeThrough, createControlPool, createKeyring, throughPg, type Actor, type ControlPool, type RunningApp } from '@kilotoken/platform';
import { openLog, startApp } from '@kilotoken/platform/process';
import { MoneyDatabase } from '../../../../test/support/money-database.js';
import { serviceUrl } from '../../../../test/support/postgres.js';
import { callSignIn, cookieOf, totp, type Call } from '../../../../test/support/sign-in.js';
import { until } from '../../../../test/support/until.js';
import { apiApp } from '../app.js';
import { readApiSettings } from '../config.js';

/** A person leaves traces in as many tables as they can; once they are erased, no row of any table tells their name or address. */
const secretKey = randomBytes(32).toString('hex');
const kt: Actor = { kind: 'kt', id: 'root@host', name: 'Operator' };
const password = 'correct horse battery';
const [name, email] = ['Zoraida Quux', 'zoraida.quux@example.com'];

let money: MoneyDatabase;
let pool: ControlPool;
let signIn: ControlPool;
let api: RunningApp;
let organizationId: string;
const keyring = createKeyring([secretKey]);

beforeAll(async () => {
  money = await MoneyDatabase.create();
  const connectionString = serviceUrl(money.database.appUrl, 'api');
  pool = createControlPool(kt, { connectionString, max: 2, applicationName: 'test' });
  signIn = createSignInPool({ connectionString, max: 2, applicationName: 'test sign-in' }, kt);
  const settings = readApiSettings({ API_PORT: '0', API_METRICS_PORT: '0', INTERNAL_TOKEN: 'a-token-of-24-characters', KILOTOKEN_SECRET_KEY: secretKey, APP_DATABASE_URL: connectionString, LOG_LEVEL: 'silent', API_PUBLIC_URL: 'http://127.0.0.1:8081' });
  api = await startApp(apiApp, settings, await openLog({ name: 'api', level: 'silent' }));
  organizationId = (await money.newTenant('100')).organizationId;
});
afterAll(async () => {
  await Promise.all([api.close(), pool.end(), signIn.end()]);
  await money.drop();
});

const call: Call = (path, body, headers) => callSignIn(`http://127.0.0.1:${api.port}/api/auth`, path, body, headers);

/** Tables, of every schema but Postgres' own, with a row that has a part of the name or the address in any column, JSON and bytes included. */
const tablesThatTell = async (): Promise<string[]> => {
  const tables = await money.sql<{ name: string }>("SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1");
  expect(tables.length).toBeGreaterThan(50);
  const parts = ['zoraida', 'quux', ...['zoraida', 'Zoraida'].map((part) => Buffer.from(part).toString('hex')), 'em9yYWlk', 'Wm9yYWlk'].join('|');
  const telling: string[] = [];
  for (const table of tables) if ((await money.sql(`SELECT FROM ${table.name} t WHERE t::text ~* $1 LIMIT 1`, [parts])).length > 0) telling.push(table.name);
  return telling;
};

it('an erased person is named in no row of any table', async () => {
  const owner = await createPerson(signIn, { email: 'olive@example.com', name: 'Olive' }, password);
  await putMembership(pool, { organizationId, personId: owner.id, role: 'owner' });
  await inviteMember(pool, { keyring, publicUrl: 'http://127.0.0.1:8081' }, { organizationId, email, role: 'owner', invitedBy: owner.id });
  const mailOf = async (kind: string): Promise<string | null> => {
    const rows = await money.sql<{ sealed: string }>("SELECT payload ->> 'sealed' AS sealed FROM outbox_job WHERE queue = 'mail-person' AND starts_with(key, $1)", [kind]);
    return rows.length === 0 ? null : /[?&]token=([\w-]+)/.exec((JSON.parse(keyring.open(rows[0]!.sealed, personMailPurpose)) as PersonMail).text)![1]!;
  };
  const token = await until('the invitation', () => mailOf('invit'));
  expect((await call('invitations/accept', { token, name, password })).status).toBe(200);
  const other = (await money.newTenant('10')).organizationId;
  await inviteMember(pool, { keyring, publicUrl: 'http://127.0.0.1:8081' }, { organizationId: other, email, role: 'viewer' });

  expect((await call('sign-in/email', { email, password: 'not the password' })).status).toBe(401);
  const cookie = cookieOf(await call('sign-in/email', { email, password }));
  const { totpURI } = (await call('two-factor/enable', { password }, { cookie })).body as { totpURI: string };
  await call('two-factor/verify-totp', { code: totp(totpURI) }, { cookie });
  await call('request-password-reset', { email });
  await until('the mail for a new password', () => mailOf('reset'));
  const [person] = await money.sql<{ id: string }>('SELECT id FROM person WHERE email = $1', [email]);

  // A caller that names them in full, as the actor of changes, of an approval, and by a token.
  const actor: Actor = { kind: 'person', id: person!.id, name };
  const change = <Result>(work: (db: Parameters<Parameters<typeof changeThrough<Result>>[2]>[0]) => Promise<Result>) => changeThrough(actingAs(pool, actor), organizationId, work);
  await change((db) => db.query("INSERT INTO project (organization_id, id, name) VALUES ($1, uuidv7(), 'theirs')", [organizationId]));
  await change((db) => requestOrDo(throughPg(db), 'grant.issue', { organizationId, unit: 'USD', amount: '5000', source: 'promotion', reference: 'big' }));
  await createServiceToken(actingAs(pool, actor), { organizationId, name: 'ci', role: 'developer' });
  await change((db) => db.query('INSERT INTO notice_address (organization_id, email) VALUES ($1, $2)', [organizationId, email]));
  await money.app.query("SELECT outbox_put($1, 'grant.issued', 'one', '{}')", [organizationId]);
  await money.app.query("SELECT events_dispatch(100, '{grant.issued}')");
  expect(await tablesThatTell()).toEqual(expect.arrayContaining(['public.invitation', 'public.notice_address', 'public.outbox_job', 'public.person']));

  await erasePerson(signIn, person!.id);
  expect(await tablesThatTell()).toEqual([]);
  expect(await money.sql("SELECT DISTINCT actor_kind, actor_id, actor_name FROM control_change WHERE actor_id = $1", [person!.id])).toEqual([{ actor_kind: 'person', actor_id: person!.id, actor_name: null }]);
  expect(await money.sql("SELECT DISTINCT actor_name FROM control_change WHERE actor_kind = 'kt'")).toEqual([{ actor_name: 'Operator' }]);
});
