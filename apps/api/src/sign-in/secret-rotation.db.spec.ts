import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createPerson, putMembership, rotateSecrets, ViewerService } from '@kilotoken/people';
import { createSignInPool } from '@kilotoken/people/sign-in';
import { createControlPool, createKeyring, type Actor, type ControlPool, type RunningApp } from '@kilotoken/platform';
import { openLog, startApp } from '@kilotoken/platform/process';
import { MoneyDatabase } from '../../../../test/support/money-database.js';
import { serviceUrl } from '../../../../test/support/postgres.js';
import { callSignIn, cookieOf, totp, type Call } from '../../../../test/support/sign-in.js';
import { apiApp } from '../app.js';
import { readApiSettings } from '../config.js';

/** A new key of stored secrets, step by step as docs/operations/people.md tells it: new and old, rotate, new alone. */
const [oldKey, newKey] = [randomBytes(32).toString('hex'), randomBytes(32).toString('hex')];
const actor: Actor = { kind: 'kt', id: 'test', name: null };
const password = 'correct horse battery';
const email = 'ada@example.com';

let money: MoneyDatabase;
let pool: ControlPool;
let signIn: ControlPool;
const apis: RunningApp[] = [];

beforeAll(async () => {
  money = await MoneyDatabase.create();
  const connectionString = serviceUrl(money.database.appUrl, 'api');
  pool = createControlPool(actor, { connectionString, max: 2, applicationName: 'test' });
  signIn = createSignInPool({ connectionString, max: 2, applicationName: 'test sign-in' }, actor);
  const { id } = await createPerson(signIn, { email, name: 'Ada' }, password);
  await putMembership(pool, { organizationId: (await money.newTenant('10')).organizationId, personId: id, role: 'owner' });
});
afterAll(async () => {
  await Promise.all([...apis.map((api) => api.close()), pool.end(), signIn.end()]);
  await money.drop();
});

/** An api with these keys, beside those that run. */
const startApi = async (...keys: string[]) => {
  const settings = readApiSettings({
    API_PORT: '0', API_METRICS_PORT: '0', INTERNAL_TOKEN: 'a-token-of-24-characters', KILOTOKEN_SECRET_KEY: keys.join(','), APP_DATABASE_URL: serviceUrl(money.database.appUrl, 'api'),
    LOG_LEVEL: 'silent', API_PUBLIC_URL: 'http://127.0.0.1:8081',
  });
  const running = await startApp(apiApp, settings, await openLog({ name: 'api', level: 'silent' }));
  apis.push(running);
  const call: Call = (path, body, headers) => callSignIn(`http://127.0.0.1:${running.port}/api/auth`, path, body, headers);
  /** The address of the session's person, as better-auth and as GraphQL see it. */
  const whoIs = async (cookie: string) => [
    ((await call('get-session', undefined, { cookie })).body as { user: { email: string } } | null)?.user.email,
    (await running.app.get(ViewerService).resolve({ cookie }))?.session?.email,
  ];
  const signInBy = async (way: string, code: string): Promise<string> => {
    const half = await call('sign-in/email', { email, password });
    expect(half.body).toMatchObject({ twoFactorRedirect: true });
    return cookieOf(await call(`two-factor/${way}`, { code }, { cookie: cookieOf(half) }));
  };
  return { call, whoIs, signInBy };
};

it('a new key keeps sessions and second factors, and the old one may go', async () => {
  const before = await startApi(oldKey);
  const cookie = cookieOf(await before.call('sign-in/email', { email, password }));
  const { totpURI, backupCodes } = (await before.call('two-factor/enable', { password }, { cookie })).body as { totpURI: string; backupCodes: string[] };
  const session = cookieOf(await before.call('two-factor/verify-totp', { code: totp(totpURI) }, { cookie }));
  expect(await before.whoIs(session)).toEqual([email, email]);

  const meanwhile = await startApi(newKey, oldKey);
  expect(await meanwhile.whoIs(session)).toEqual([email, email]);
  const forged = session.replace(/(session_token=)(.)/, (_all, name: string, letter: string) => `${name}${letter === 'A' ? 'B' : 'A'}`);
  expect(await meanwhile.whoIs(forged)).toEqual([undefined, undefined]);
  expect(await meanwhile.whoIs(await meanwhile.signInBy('verify-backup-code', backupCodes[0]!))).toEqual([email, email]);

  const keyring = createKeyring([newKey, oldKey]);
  expect(await rotateSecrets(money.owner, keyring)).toMatchObject({ secondFactors: 1 });
  expect(await rotateSecrets(money.owner, keyring)).toMatchObject({ secondFactors: 0 });

  const after = await startApi(newKey);
  expect(await after.whoIs(session)).toEqual([undefined, undefined]);
  const renewed = await after.signInBy('verify-totp', totp(totpURI));
  expect(await after.whoIs(renewed)).toEqual([email, email]);
  expect(await after.whoIs(await after.signInBy('verify-backup-code', backupCodes[1]!))).toEqual([email, email]);
  expect(await after.whoIs(await after.signInBy('verify-backup-code', backupCodes[0]!))).toEqual([undefined, undefined]);
  expect(await before.whoIs(renewed)).toEqual([undefined, undefined]);
});
