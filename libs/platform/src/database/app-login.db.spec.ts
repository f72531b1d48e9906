import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { createTestDatabase, testRunFolder, type TestDatabase } from '../../../../test/support/postgres.js';
import { appLoginName, ensureAppLogin } from './app-login.js';

let database: TestDatabase;
let owner: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = new pg.Client({ connectionString: database.ownerUrl });
  await owner.connect();
});

afterAll(async () => {
  await owner.end();
  await database.drop();
});

async function runAs<Row extends pg.QueryResultRow>(databaseUrl: string, sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

const newPassword = () => randomBytes(16).toString('hex');

describe('ensureAppLogin', () => {
  it('makes a login with the rights of kilotoken_app, that owns nothing and is bound by row-level security', async () => {
    const name = appLoginName(database.name);
    const appUrl = await ensureAppLogin(database.ownerUrl, name, newPassword());

    const [role] = await runAs(
      appUrl,
      `SELECT current_user AS name, pg_has_role(current_user, 'kilotoken_app', 'USAGE') AS member,
              rolsuper, rolbypassrls, rolcreaterole, rolcreatedb,
              (SELECT count(*)::int FROM pg_shdepend WHERE refobjid = pg_roles.oid AND deptype = 'o') AS owned
       FROM pg_roles WHERE rolname = current_user`,
    );
    expect(role).toEqual({ name, member: true, rolsuper: false, rolbypassrls: false, rolcreaterole: false, rolcreatedb: false, owned: 0 });
    await expect(runAs(appUrl, 'CREATE TABLE mine (id integer)')).rejects.toThrow('permission denied');
    await expect(runAs(appUrl, "UPDATE database_mark SET clock_shift = '1 hour'")).rejects.toThrow('permission denied');
  });

  it('replaces the password of a login that exists, also from several processes at once', async () => {
    const name = appLoginName(`${database.name}_again`);
    const firstUrl = await ensureAppLogin(database.ownerUrl, name, newPassword());
    const password = newPassword();
    const urls = await Promise.all(Array.from({ length: 4 }, () => ensureAppLogin(database.ownerUrl, name, password)));

    expect(await runAs(urls[0] ?? '', 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await expect(runAs(firstUrl, 'SELECT 1')).rejects.toThrow('password authentication failed');
  });

  it('refuses to hand out a role that row-level security does not bind', async () => {
    const name = `unbound_${randomBytes(4).toString('hex')}`;
    await owner.query(`CREATE ROLE ${name} BYPASSRLS`);

    await expect(ensureAppLogin(database.ownerUrl, name, newPassword())).rejects.toThrow('not bound by row-level security');
  });

  it('never sends the password to the server, which may log its statements', async () => {
    const name = appLoginName(database.name);
    const password = newPassword();
    await owner.query(`ALTER DATABASE ${database.name} SET log_statement = 'all'`);
    await ensureAppLogin(database.ownerUrl, name, password);

    const log = readFileSync(join(testRunFolder(), 'postgres.log'), 'utf8');
    expect(log).toContain(`ALTER ROLE "${name}" LOGIN`);
    expect(log).not.toContain(password);
  });
});

describe('appLoginName', () => {
  it("keeps within Postgres' 63 bytes and still differs between databases", () => {
    const names = ['a'.repeat(63), `${'a'.repeat(62)}b`].map(appLoginName);
    expect(names[0]).not.toBe(names[1]);
    for (const name of names) expect(name.length).toBeLessThanOrEqual(63);
    expect(appLoginName('kilotoken')).toBe('kilotoken_kilotoken');
  });
});
