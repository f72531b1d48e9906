import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { personMailPurpose, type PersonMail } from '@kilotoken/events';
import { createPerson, createServiceToken, inviteMember, putMembership, removeMember, revokeServiceToken, ViewerService } from '@kilotoken/people';
import { createSignInPool } from '@kilotoken/people/sign-in';
import { createControlPool, createKeyring, type Actor, type ControlPool, type Keyring, type RunningApp } from '@kilotoken/platform';
import { openLog, startApp } from '@kilotoken/platform/process';
import { MoneyDatabase } from '../../../../test/support/money-database.js';
import { serviceUrl } from '../../../../test/support/postgres.js';
import { callSignIn, cookieOf, totp, type Call, type SignInAnswer as Answer } from '../../../../test/support/sign-in.js';
import { until } from '../../../../test/support/until.js';
import { apiApp } from '../app.js';
import { readApiSettings } from '../config.js';

const secretKey = randomBytes(32).toString('hex');
const actor: Actor = { kind: 'kt', id: 'test', name: null };
const password = 'correct horse battery';
/** A proxy of ours stands before the api, so that tests come from many addresses. */
const proxied = { API_TRUSTED_PROXIES: '127.0.0.1' };

let money: MoneyDatabase;
let running: RunningApp;
let url: string;
let pool: ControlPool;
let signIn: ControlPool;
let keyring: Keyring;
let organizationId: string;
let owner: { id: string; email: string };

beforeAll(async () => {
  money = await MoneyDatabase.create();
  const databaseUrl = serviceUrl(money.database.appUrl, 'api');
  const settings = readApiSettings({ API_PORT: '0', API_METRICS_PORT: '0', INTERNAL_TOKEN: 'a-token-of-24-characters', KILOTOKEN_SECRET_KEY: secretKey, APP_DATABASE_URL: databaseUrl, LOG_LEVEL: 'silent', API_PUBLIC_URL: 'http://127.0.0.1:8081', ...proxied });
  running = await startApp(apiApp, settings, await openLog({ name: 'api', level: 'silent' }));
  url = `http://127.0.0.1:${running.port}/api/auth`;
  pool = createControlPool(actor, { connectionString: databaseUrl, max: 2, applicationName: 'test' });
  signIn = createSignInPool({ connectionString: databaseUrl, max: 2, applicationName: 'test sign-in' }, actor);
  keyring = createKeyring([secretKey]);
  organizationId = (await money.newTenant('10')).organizationId;
  owner = await newPerson('owner');
});
afterAll(async () => {
  await running.close();
  await Promise.all([pool.end(), signIn.end()]);
  await money.drop();
});

let people = 0;
const newPerson = async (role: 'owner' | 'developer' | 'viewer'): Promise<{ id: string; email: string }> => {
  const person = await createPerson(signIn, { email: `person-${(people += 1)}@example.com`, name: `Person ${people}` }, password);
  await putMembership(pool, { organizationId, personId: person.id, role });
  return person;
};

const call: Call = (path, body, headers = {}) => callSignIn(url, path, body, { 'x-forwarded-for': '203.0.113.1', ...headers });

const signInAs = (email: string, secret = password, headers: Record<string, string> = {}): Promise<Answer> => call('sign-in/email', { email, password: secret }, headers);
const from = (address: string): Record<string, string> => ({ 'x-forwarded-for': address });

const mails = async (): Promise<PersonMail[]> => {
  const rows = await money.sql<{ sealed: string }>("SELECT payload ->> 'sealed' AS sealed FROM outbox_job WHERE queue = 'mail-person' ORDER BY id");
  return rows.map(({ sealed }) => JSON.parse(keyring.open(sealed, personMailPurpose)) as PersonMail);
};
const tokenIn = (mail: PersonMail): string => /[?&]token=([\w-]+)/.exec(mail.text)![1]!;

describe('sign-in', () => {
  it('sets a cookie that scripts cannot read, and says no half of it', async () => {
    const answer = await signInAs(owner.email.toUpperCase());
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-store']);
    expect(answer.cookies.find((cookie) => cookie.includes('session_token'))).toMatch(/^kilotoken\.session_token=.*Max-Age=604800.*HttpOnly.*SameSite=Lax$/i);
    expect(answer.body).not.toHaveProperty('token');
    const session = await call('get-session', undefined, { cookie: cookieOf(answer) });
    expect(session.body).toMatchObject({ user: { id: owner.id, email: owner.email, twoFactorEnabled: false }, session: { impersonating: null } });
  });

  it('answers a wrong password as it answers an unknown address, in our shape', async () => {
    const answers = await Promise.all([signInAs(owner.email, 'not the password'), signInAs('nobody@example.com', 'not the password')]);
    for (const { status, body } of answers) {
      expect(status).toBe(401);
      expect(body).toMatchObject({ error: { code: 'invalid_email_or_password', request_id: expect.any(String) }, code: 'INVALID_EMAIL_OR_PASSWORD' });
    }
    expect(answers[0]!.body['message']).toBe(answers[1]!.body['message']);
  });

  it.each([
    ['a sign-up', 'sign-up/email', 404, { email: 'eve@example.com', password, name: 'Eve' }],
    ['a body that is no object', 'sign-in/email', 400, [1]],
    ['fields of other types', 'sign-in/email', 400, { email: { a: 1 }, password: 7 }],
    ['a page of another site', 'sign-in/email', 403, { email: 'a@example.com', password }, { origin: 'https://evil.example' }],
    ['a form of another site', 'sign-in/email', 400, { email: 'a@example.com', password }, { 'content-type': 'text/plain' }],
    ['a page of another site without an origin', 'sign-in/email', 403, { email: 'a@example.com', password }, { 'sec-fetch-site': 'cross-site' }],
    ['a body over 16 KiB', 'sign-in/email', 413, { email: 'a@example.com', password: 'x'.repeat(20_000) }],
  ])('refuses %s', async (_name, path, status, body, headers: Record<string, string> = {}) => {
    const answer = await call(path, body, headers);
    expect(answer.status).toBe(status);
    expect(answer.body).toHaveProperty('error.code');
  });

  it('signs out, and ends a session from another one by its id, without telling its token', async () => {
    const [one, two] = [cookieOf(await signInAs(owner.email)), cookieOf(await signInAs(owner.email))];
    const sessions = (await call('list-sessions', undefined, { cookie: one })).body as unknown as { id: string; token: string }[];
    const own = ((await call('get-session', undefined, { cookie: two })).body as { session: { id: string } }).session.id;
    expect(sessions.find(({ id }) => id === own)).toMatchObject({ token: own });
    expect((await call('revoke-session', { token: own }, { cookie: one })).status).toBe(200);
    expect((await call('get-session', undefined, { cookie: two })).body).toBeNull();
    expect((await call('sign-out', {}, { cookie: one })).status).toBe(200);
    expect((await call('get-session', undefined, { cookie: one })).body).toBeNull();
    expect((await call('list-sessions', undefined, { cookie: one })).status).toBe(401);
  });

  it('refuses a cookie whose signature was changed', async () => {
    const cookie = cookieOf(await signInAs(owner.email));
    const forged = `${cookie.slice(0, -12)}AAAAAAAAAAAA`;
    expect((await call('get-session', undefined, { cookie: forged })).body).toBeNull();
  });
});

describe('bounds on guessing', () => {
  it('stop an address that guesses one account, and let its owner in from another address', async () => {
    const victim = await newPerson('viewer');
    for (let guess = 0; guess < 10; guess++) expect((await signInAs(victim.email, `guess number ${guess}`, from('198.51.100.1'))).status).toBe(401);
    const stopped = await signInAs(victim.email, password, from('198.51.100.1'));
    expect([stopped.status, stopped.body['code'], Number(stopped.headers.get('retry-after')) > 0]).toEqual([429, 'TOO_MANY_ATTEMPTS', true]);
    expect((await signInAs(victim.email, password, from('198.51.100.2'))).status).toBe(200);
    expect((await signInAs(owner.email, password, from('198.51.100.1'))).status).toBe(200);
  });

  it('stop an address that guesses many accounts, also when it guesses at once', async () => {
    const guesses = await Promise.all(Array.from({ length: 110 }, (_one, index) => signInAs(`nobody-${index}@example.com`, 'a guess of mine', from('198.51.100.3'))));
    expect(guesses.filter(({ status }) => status === 401)).toHaveLength(100);
    expect(guesses.filter(({ status }) => status === 429)).toHaveLength(10);
    expect((await signInAs(owner.email, password, from('198.51.100.3'))).status).toBe(429);
    expect((await signInAs(owner.email, password, from('198.51.100.4'))).status).toBe(200);
  });

  it('do not count what was right', async () => {
    for (let time = 0; time < 15; time++) expect((await signInAs(owner.email, password, from('198.51.100.5'))).status).toBe(200);
  });

  it('count an IPv6 network of 64 bits as one address', async () => {
    for (let guess = 0; guess < 10; guess++) await signInAs(owner.email, 'not the password', from(`2001:db8:1:2::${guess + 1}`));
    expect((await signInAs(owner.email, password, from('2001:db8:1:2:ffff::9'))).status).toBe(429);
    expect((await signInAs(owner.email, password, from('2001:db8:1:3::1'))).status).toBe(200);
  });
});

describe('the second factor', () => {
  it('is asked for once it is on, opens by code and by recovery code, each recovery code once, and goes off again', async () => {
    const person = await newPerson('developer');
    const cookie = cookieOf(await signInAs(person.email));
    const begun = await call('two-factor/enable', { password }, { cookie });
    const { totpURI, backupCodes } = begun.body as { totpURI: string; backupCodes: string[] };
    expect(backupCodes).toHaveLength(10);
    const on = await call('two-factor/verify-totp', { code: totp(totpURI) }, { cookie });
    expect(on.status).toBe(200);

    const half = await signInAs(person.email);
    expect(half.body).toMatchObject({ twoFactorRedirect: true });
    expect(half.cookies.some((one) => /session_token=[^;]/.test(one))).toBe(false);
    expect((await call('get-session', undefined, { cookie: cookieOf(half) })).body).toBeNull();
    expect((await call('two-factor/verify-totp', { code: '000000' }, { cookie: cookieOf(half) })).status).toBe(401);
    const whole = await call('two-factor/verify-totp', { code: totp(totpURI) }, { cookie: cookieOf(half) });
    expect(whole.status).toBe(200);
    expect((await call('get-session', undefined, { cookie: cookieOf(whole) })).body).toMatchObject({ user: { id: person.id, twoFactorEnabled: true } });

    const recover = async () => call('two-factor/verify-backup-code', { code: backupCodes[0] }, { cookie: cookieOf(await signInAs(person.email)) });
    expect([(await recover()).status, (await recover()).status]).toEqual([200, 401]);

    const stored = await money.sql<{ secret: string; codes: string }>('SELECT secret, backup_codes AS codes FROM second_factor WHERE person_id = $1', [person.id]);
    expect(`${stored[0]!.secret}${stored[0]!.codes}`).not.toContain(backupCodes[1]);
    expect(stored[0]!.secret).toMatch(/^\$ba\$\d+\$/);

    expect((await call('two-factor/disable', { password }, { cookie: cookieOf(whole) })).status).toBe(200);
    expect((await signInAs(person.email)).body).not.toHaveProperty('twoFactorRedirect');
  });

  it('cannot be guessed through ever new sign-ins with a known password', async () => {
    const person = await newPerson('developer');
    const cookie = cookieOf(await signInAs(person.email));
    const { totpURI } = (await call('two-factor/enable', { password }, { cookie })).body as { totpURI: string };
    await call('two-factor/verify-totp', { code: totp(totpURI) }, { cookie });
    const statuses: number[] = [];
    for (let time = 0; time < 12; time++) statuses.push((await signInAs(person.email, password, from('198.51.100.9'))).status);
    expect(statuses).toEqual([...Array<number>(10).fill(200), 429, 429]);
    expect((await signInAs(person.email, password, from('198.51.100.10'))).status).toBe(200);
  });
});

describe('a password', () => {
  it('is replaced by a link that opens once, which ends every session', async () => {
    const person = await newPerson('viewer');
    const cookie = cookieOf(await signInAs(person.email));
    expect((await call('request-password-reset', { email: person.email }, from('192.0.2.1'))).body).toEqual({ status: true });
    const mail = await until('the mail is enqueued', async () => (await mails()).find(({ to }) => to === person.email) ?? null);
    const token = tokenIn(mail);
    expect((await call('reset-password', { token, newPassword: 'short' })).status).toBe(400);
    expect((await call('reset-password', { token, newPassword: 'a new long password' })).status).toBe(200);
    expect((await call('reset-password', { token, newPassword: 'another long password' })).status).toBe(400);
    expect((await call('get-session', undefined, { cookie })).body).toBeNull();
    expect([(await signInAs(person.email)).status, (await signInAs(person.email, 'a new long password')).status]).toEqual([401, 200]);
  });

  it('is asked for alike for an unknown address, which gets no mail', async () => {
    expect((await call('request-password-reset', { email: 'stranger@example.com' }, from('192.0.2.2'))).body).toEqual({ status: true });
    expect((await mails()).filter(({ to }) => to === 'stranger@example.com')).toEqual([]);
  });

  it('is changed with the present one, and other sessions may end with it', async () => {
    const person = await newPerson('viewer');
    const [one, two] = [cookieOf(await signInAs(person.email)), cookieOf(await signInAs(person.email))];
    expect((await call('change-password', { currentPassword: 'a wrong password', newPassword: 'a newer password', revokeOtherSessions: true }, { cookie: one })).status).toBe(400);
    const changed = await call('change-password', { currentPassword: password, newPassword: 'a newer password', revokeOtherSessions: true }, { cookie: one });
    expect([changed.status, Object.keys(changed.body)]).toEqual([200, ['user']]);
    expect((await call('get-session', undefined, { cookie: two })).body).toBeNull();
    expect((await call('get-session', undefined, { cookie: cookieOf(changed) })).body).toMatchObject({ user: { id: person.id } });
  });
});

describe('an invitation', () => {
  it('makes its address a member with a password of their own, once', async () => {
    await inviteMember(pool, { keyring, publicUrl: 'https://console.example.com' }, { organizationId, email: 'New.Colleague@example.com', role: 'developer', invitedBy: owner.id });
    const mail = (await mails()).find(({ to }) => to === 'new.colleague@example.com')!;
    expect(mail.text).toContain('https://console.example.com/accept-invitation?token=');
    const token = tokenIn(mail);
    expect((await call('invitations/look-up', { token })).body).toMatchObject({ email: 'new.colleague@example.com', role: 'developer', isKnown: false });
    expect((await call('invitations/accept', { token, name: 'New', password: 'short' })).status).toBe(400);
    expect((await call('invitations/accept', { token, name: 'New', password })).body).toMatchObject({ organizationId });
    expect((await call('invitations/accept', { token, name: 'New', password })).status).toBe(404);
    const viewers = running.app.get(ViewerService);
    const resolved = await viewers.resolve({ cookie: cookieOf(await signInAs('new.colleague@example.com')) });
    expect(resolved?.viewer).toMatchObject({ kind: 'person', impersonating: null, memberships: [{ organizationId, role: 'developer', descendantIds: [] }] });
  });

  it('joins a person who is there already by their own password, and nobody by a wrong one', async () => {
    const other = (await money.newTenant('10')).organizationId;
    const person = await newPerson('viewer');
    await inviteMember(pool, { keyring, publicUrl: 'http://127.0.0.1' }, { organizationId: other, email: person.email, role: 'billing' });
    const token = tokenIn((await mails()).filter(({ to }) => to === person.email).at(-1)!);
    expect((await call('invitations/accept', { token, password: 'not the password' })).body).toMatchObject({ code: 'PASSWORD_WRONG' });
    expect((await call('invitations/accept', { token, password })).status).toBe(200);
    const resolved = await running.app.get(ViewerService).resolve({ cookie: cookieOf(await signInAs(person.email)) });
    expect(resolved?.viewer.memberships.map(({ role }) => role).sort()).toEqual(['billing', 'viewer']);
    await removeMember(pool, { organizationId: other, personId: person.id });
  });
});

describe('a viewer', () => {
  it('is a service token until it is revoked, with what it was given and no more', async () => {
    const viewers = running.app.get(ViewerService);
    const made = await createServiceToken(pool, { organizationId, name: 'ci', role: 'developer', permissions: ['usage.read'] });
    const ask = () => viewers.resolve({ authorization: `Bearer ${made.token}` });
    expect((await ask())?.viewer).toEqual({ kind: 'token', id: made.id, memberships: [{ organizationId, role: 'developer', descendantIds: [] }], permissions: new Set(['usage.read']), impersonating: null });
    expect((await money.sql('SELECT last_used_at IS NOT NULL AS used FROM service_token WHERE id = $1', [made.id]))[0]).toEqual({ used: true });
    await revokeServiceToken(pool, { organizationId, id: made.id });
    expect(await ask()).toBeNull();
    expect(await viewers.resolve({ authorization: 'Bearer kst_nonsense', cookie: cookieOf(await signInAs(owner.email)) })).toBeNull();
  });
});
