import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createKeyring, createPool } from '@kilotoken/platform';
import type pg from 'pg';
import { runCommand } from '../../../test/support/command-run.js';
import { createTestDatabase, serviceUrl, type TestDatabase } from '../../../test/support/postgres.js';
import { runKt } from './main.js';

const [oldKey, newKey] = ['an-old-key-of-stored-secrets-for-tests', 'a-new-key-of-stored-secrets-for-tests'];

let database: TestDatabase;
let owner: pg.Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = createPool({ connectionString: database.ownerUrl, max: 1, applicationName: 'test' });
});
afterAll(async () => {
  await owner.end();
  await database.drop();
});

const run = (words: string[], settings: Record<string, string> = {}) => {
  const environment = { DATABASE_URL: database.ownerUrl, CONTROL_DATABASE_URL: serviceUrl(database.appUrl, 'control'), KILOTOKEN_SECRET_KEY: oldKey, WEBHOOK_ALLOW_PRIVATE: '1', ...settings };
  return runCommand((output) => runKt([...words, '--json'], { environment, workingFolder: '/', callersFolder: '/', output }));
};
const runJson = async (words: string[], settings: Record<string, string> = {}) => {
  const { exitCode, out, error } = await run(words, settings);
  expect({ exitCode, error }).toEqual({ exitCode: 0, error: '' });
  return JSON.parse(out);
};
const codeOf = async (...words: string[]): Promise<string> => (JSON.parse((await run(words)).error) as { error: { code: string } }).error.code;

describe('kt users', () => {
  test('make the first admin of an empty installation, and the company with them', async () => {
    const made = await runJson(['users', 'create', '--email', 'Ada@Example.com', '--name', 'Ada', '--role', 'admin']);
    expect(made).toMatchObject({ email: 'ada@example.com', name: 'Ada', password: expect.stringMatching(/^[\w-]{24}$/) });
    expect(await runJson(['users', 'list'])).toEqual([expect.objectContaining({ email: 'ada@example.com', roles: ['company:admin'] })]);
    const { rows } = await owner.query("SELECT actor_kind, table_name FROM control_change WHERE table_name IN ('person', 'membership') ORDER BY id");
    expect(rows).toEqual([{ actor_kind: 'kt', table_name: 'person' }, { actor_kind: 'kt', table_name: 'membership' }]);
    expect(JSON.stringify((await owner.query('SELECT actor_name, row_key, columns FROM control_change')).rows)).not.toMatch(/ada@example|"Ada"/);
  });

  test('give roles of the right kind, and keep the last admin', async () => {
    await runJson(['orgs', 'create', '--slug', 'acme']);
    await runJson(['users', 'create', '--email', 'olive@example.com', '--role', 'owner', '--org', 'acme']);
    expect(await codeOf('users', 'set-role', '--user', 'ada@example.com', '--role', 'admin', '--org', 'acme')).toBe('people_invalid');
    expect(await codeOf('users', 'set-role', '--user', 'ada@example.com', '--role', 'support')).toBe('last_owner');
    expect(await codeOf('users', 'remove', '--user', 'olive@example.com', '--org', 'acme')).toBe('last_owner');
    expect(await codeOf('users', 'create', '--email', 'OLIVE@example.com', '--role', 'viewer', '--org', 'acme')).toBe('person_exists');
    await runJson(['users', 'set-role', '--user', 'olive@example.com', '--role', 'finance']);
    expect((await runJson(['users', 'list'])).find(({ email }: { email: string }) => email === 'olive@example.com').roles).toEqual(['acme:owner', 'company:finance']);
  });

  test('replace a password, disable and enable, and erase all that tells who somebody was', async () => {
    await runJson(['users', 'create', '--email', 'gone@example.com', '--name', 'Gone Person', '--role', 'seller']);
    const hashOf = async () => (await owner.query("SELECT c.password FROM credential c JOIN person p ON p.id = c.person_id WHERE p.email = 'gone@example.com'")).rows[0]?.password as string;
    const before = await hashOf();
    await runJson(['users', 'reset-password', '--user', 'gone@example.com']);
    expect(await hashOf()).not.toBe(before);
    expect((await runJson(['users', 'disable', '--user', 'gone@example.com'])).disabledAt).not.toBeNull();
    expect((await runJson(['users', 'enable', '--user', 'gone@example.com'])).disabledAt).toBeNull();
    const { id } = await runJson(['users', 'erase', '--user', 'gone@example.com']);
    const rows = [];
    for (const table of ['person', 'credential', 'membership', 'control_change', 'invitation', 'audit_entry']) rows.push(...(await owner.query(`SELECT * FROM ${table}`)).rows);
    expect(JSON.stringify(rows, (_name, value: unknown) => (typeof value === 'bigint' ? String(value) : value))).not.toMatch(/gone@example|Gone Person/);
    expect((await owner.query('SELECT erased_at IS NOT NULL AS erased FROM person WHERE id = $1', [id])).rows).toEqual([{ erased: true }]);
    expect(await codeOf('users', 'erase', '--user', 'ada@example.com')).toBe('last_owner');
  });

  test('are joined by service tokens of machines, narrowed and revoked', async () => {
    const { token, id } = await runJson(['tokens', 'create', '--name', 'ci', '--role', 'admin', '--permissions', 'staff.usage.read']);
    expect(token).toMatch(/^kst_[\w-]{43}$/);
    expect(await runJson(['tokens', 'list'])).toEqual([expect.objectContaining({ id, status: 'active', permissions: ['staff.usage.read'] })]);
    expect((await runJson(['tokens', 'revoke', id])).status).toBe('revoked');
    expect(await codeOf('tokens', 'create', '--name', 'ci', '--role', 'viewer', '--org', 'acme', '--permissions', 'keys.write')).toBe('people_invalid');
  });
});

describe('kt secrets rotate', () => {
  test('encrypts plain secrets and those of an old key under the first key, once', async () => {
    const { secret, id } = await runJson(['webhooks', 'add', '--org', 'acme', '--url', 'http://127.0.0.1:1/hook']);
    const stored = async () => (await owner.query('SELECT secret FROM webhook_secret ORDER BY id')).rows.map((row) => row.secret as string);
    expect((await stored())[0]).not.toContain(secret.slice(6));
    const plain = `whsec_${'A'.repeat(43)}=`;
    await owner.query('INSERT INTO webhook_secret (organization_id, endpoint_id, id, secret) SELECT organization_id, endpoint_id, uuidv7(), $1 FROM webhook_secret', [plain]);
    const keys = { KILOTOKEN_SECRET_KEY: `${newKey},${oldKey}` };
    expect(await runJson(['secrets', 'rotate'], keys)).toMatchObject({ webhookSecrets: 2, secondFactors: 0, waitingMails: 0 });
    expect(await runJson(['secrets', 'rotate'], keys)).toMatchObject({ webhookSecrets: 0 });
    const keyring = createKeyring([newKey]);
    const { rows } = await owner.query('SELECT organization_id FROM webhook_endpoint WHERE id = $1', [id]);
    expect((await stored()).map((text) => keyring.open(text, `webhook_secret/${rows[0].organization_id}/${id}`)).sort()).toEqual([secret, plain].sort());
  });

  test('says how to go on without a key', async () => {
    expect(JSON.parse((await run(['secrets', 'rotate'], { KILOTOKEN_SECRET_KEY: '' })).error)).toMatchObject({ error: { code: 'secret_key_missing' } });
  });
});
