import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { createEmptyDatabase, createTestDatabase } from '../../../../test/support/postgres.js';
import { until } from '../../../../test/support/until.js';
import { migrateDatabase } from './migrate.js';

const CREATE_LAMP = 'CREATE TABLE lamp (id integer PRIMARY KEY);';
const CREATE_SHADE = 'CREATE TABLE shade (id integer PRIMARY KEY REFERENCES lamp (id));';

let database: { ownerUrl: string; drop(): Promise<void> };
let folder: string;
let client: pg.Client;

beforeEach(async () => {
  database = await createEmptyDatabase();
  folder = await mkdtemp(join(tmpdir(), 'kilotoken-migrations-'));
  client = new pg.Client({ connectionString: database.ownerUrl, application_name: 'holder' });
  await client.connect();
});

afterEach(async () => {
  await client.end();
  await database.drop();
  await rm(folder, { recursive: true });
});

async function writeMigration(name: string, sql: string): Promise<void> {
  await mkdir(join(folder, name), { recursive: true });
  await writeFile(join(folder, name, 'migration.sql'), sql);
}

const migrate = (options = {}) => migrateDatabase(database.ownerUrl, { migrationsFolder: folder, ...options });

const tableExists = async (name: string): Promise<boolean> =>
  (await client.query('SELECT to_regclass($1) IS NOT NULL AS found', [name])).rows[0].found;

const historyNames = async (): Promise<string[]> =>
  (await client.query('SELECT migration_name AS name FROM _prisma_migrations ORDER BY started_at')).rows.map(({ name }) => name);

describe('migrateDatabase', () => {
  it('applies migrations in the order of their names, once, and leaves the history that Prisma writes', async () => {
    await writeMigration('20260102000000_shade', CREATE_SHADE);
    await writeMigration('20260101000000_lamp', CREATE_LAMP);

    expect(await migrate()).toMatchObject({ applied: ['20260101000000_lamp', '20260102000000_shade'] });
    expect(await migrate()).toMatchObject({ applied: [] });

    const { rows } = await client.query('SELECT * FROM _prisma_migrations ORDER BY started_at');
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatchObject({
      migration_name: '20260101000000_lamp',
      // sha256sum of the file, computed apart from this code.
      checksum: '61cebc88bceccb5beb9f1b9965041156120aea1e5e62673c9f1012c6fc41159e',
      applied_steps_count: 1,
      rolled_back_at: null,
      logs: null,
    });
    expect(rows[0].finished_at).toBeInstanceOf(Date);
  });

  it('leaves nothing of a migration that fails, keeps those before it, and goes on once it is mended', async () => {
    await writeMigration('20260101000000_lamp', CREATE_LAMP);
    await writeMigration('20260102000000_shade', `${CREATE_SHADE}\n\nSELECT broken FROM lamp;`);

    await expect(migrate()).rejects.toMatchObject({
      code: 'migration_failed',
      message: expect.stringMatching(/20260102000000_shade failed at line 3: column "broken" does not exist/),
    });
    expect(await tableExists('shade')).toBe(false);
    expect(await historyNames()).toEqual(['20260101000000_lamp']);

    await writeMigration('20260102000000_shade', CREATE_SHADE);
    expect(await migrate()).toMatchObject({ applied: ['20260102000000_shade'] });
  });

  it('takes a text that landed under the name before, when its checksum is kept beside the file', async () => {
    await writeMigration('20260101000000_lamp', CREATE_LAMP);
    await migrate();
    await writeMigration('20260101000000_lamp', 'CREATE TABLE lamp (id bigint PRIMARY KEY);');
    await writeFile(join(folder, '20260101000000_lamp', 'former.sha256'), '# why\n61cebc88bceccb5beb9f1b9965041156120aea1e5e62673c9f1012c6fc41159e\n');
    await writeMigration('20260102000000_lamp_ids', 'ALTER TABLE lamp ALTER COLUMN id TYPE bigint;');

    expect(await migrate()).toMatchObject({ applied: ['20260102000000_lamp_ids'] });
    expect(await migrate()).toMatchObject({ applied: [] });
  });

  it('refuses a migration that was edited after it was applied', async () => {
    await writeMigration('20260101000000_lamp', CREATE_LAMP);
    await migrate();
    await writeMigration('20260101000000_lamp', `${CREATE_LAMP} -- one more thought`);
    await writeMigration('20260102000000_shade', CREATE_SHADE);

    await expect(migrate()).rejects.toMatchObject({ code: 'migration_changed' });
    expect(await tableExists('shade')).toBe(false);
  });

  it('refuses a database that a newer version migrated', async () => {
    await writeMigration('20260101000000_lamp', CREATE_LAMP);
    await writeMigration('20260102000000_shade', CREATE_SHADE);
    await migrate();
    await rm(join(folder, '20260102000000_shade'), { recursive: true });

    await expect(migrate()).rejects.toMatchObject({ code: 'database_newer' });
  });

  it("refuses to go on from a migration that Prisma's tool left unfinished", async () => {
    await writeMigration('20260101000000_lamp', CREATE_LAMP);
    await migrate();
    await client.query('UPDATE _prisma_migrations SET finished_at = NULL');

    await expect(migrate()).rejects.toMatchObject({ code: 'migration_unfinished' });
  });

  it('applies each migration once when several processes migrate at the same time', async () => {
    await writeMigration('20260101000000_lamp', `${CREATE_LAMP} SELECT pg_sleep(0.05);`);
    await writeMigration('20260102000000_shade', CREATE_SHADE);

    const results = await Promise.all(Array.from({ length: 4 }, () => migrate()));

    expect(results.flatMap(({ applied }) => applied).sort()).toEqual(['20260101000000_lamp', '20260102000000_shade']);
    expect(await historyNames()).toHaveLength(2);
  });

  it('gives up with a clear message while another session holds the migration lock', async () => {
    await client.query('SELECT pg_advisory_lock(72707369)');

    await expect(migrate({ lockWaitMsMax: 50 })).rejects.toMatchObject({ code: 'migration_lock_timeout' });
  });

  describe('a table that a running transaction holds', () => {
    beforeEach(async () => {
      await writeMigration('20260101000000_lamp', CREATE_LAMP);
      await migrate();
      await writeMigration('20260102000000_lamp_name', 'ALTER TABLE lamp ADD COLUMN name text;');
      await client.query('BEGIN; SELECT FROM lamp;');
    });

    it('is not waited for for ever: the migration fails, says who holds it, and is applied once it is free', async () => {
      await expect(migrate({ tableLockWaitMsMax: 300, tableLockAttemptsMax: 2 })).rejects.toMatchObject({
        code: 'migration_failed',
        message: expect.stringMatching(/could not get a table lock because these hold it: process \d+ \(holder, idle in transaction, .* SELECT FROM lamp/),
      });
      expect(await historyNames()).toEqual(['20260101000000_lamp']);
      await client.query('COMMIT');
      expect(await migrate()).toMatchObject({ applied: ['20260102000000_lamp_name'] });
    });

    it('is asked for again and again, and gets through when it is free', async () => {
      const told: string[] = [];
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      const migrating = migrate({ tableLockWaitMsMax: 300, tableLockAttemptsMax: 50, onWaiting: (name: string, holders: readonly { pid: number }[]) => told.push(`${name} ${holders.map(({ pid }) => pid).join()}`) });
      await until('it says for whom it waits', () => told.length > 0);
      await client.query('COMMIT');
      expect(await migrating).toMatchObject({ applied: ['20260102000000_lamp_name'] });
      expect(told).toEqual([`20260102000000_lamp_name ${rows[0]!.pid}`]);
    });

    it('is free for everybody else between two attempts', async () => {
      const reader = new pg.Client({ connectionString: database.ownerUrl });
      await reader.connect();
      try {
        const migrating = migrate({ tableLockWaitMsMax: 200, tableLockAttemptsMax: 50 });
        await until('it waits', async () => (await reader.query("SELECT 1 FROM pg_stat_activity WHERE application_name = 'kilotoken-migrate' AND wait_event_type = 'Lock'")).rowCount === 1);
        // Queued behind the waiting ALTER TABLE until that gives way.
        await reader.query('SELECT FROM lamp');
        expect(await tableExists('lamp')).toBe(true);
        await client.query('COMMIT');
        await migrating;
      } finally {
        await reader.end();
      }
    });
  });

  it('runs what cannot be in a transaction statement by statement, and from its beginning after it was cut', async () => {
    await writeMigration('20260101000000_lamp', `${CREATE_LAMP} INSERT INTO lamp VALUES (1), (2);`);
    await migrate();
    const index = '-- Not in a transaction: the table is written to while its index is made.\nDROP INDEX CONCURRENTLY IF EXISTS lamp_parity;\nCREATE UNIQUE INDEX CONCURRENTLY lamp_parity ON lamp ((id % 2));\n';
    await writeMigration('20260102000000_lamp_index', index);
    await client.query('INSERT INTO lamp VALUES (3)');
    // An index that could not be made stays behind, invalid.
    await expect(migrate()).rejects.toMatchObject({ code: 'migration_failed', message: expect.stringContaining('What it did before stays') });
    const isValid = async (): Promise<boolean[]> => (await client.query("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('lamp_parity')")).rows.map(({ indisvalid }) => indisvalid);
    expect([await isValid(), await historyNames()]).toEqual([[false], ['20260101000000_lamp']]);
    await client.query('DELETE FROM lamp WHERE id = 3');
    expect(await migrate()).toMatchObject({ applied: ['20260102000000_lamp_index'] });
    expect(await isValid()).toEqual([true]);
  });

  it('gives a statement the time that its file states', async () => {
    await writeMigration('20260101000000_slow', '-- Statement timeout: 1 s\nSELECT pg_sleep(30);');
    await expect(migrate()).rejects.toMatchObject({ message: expect.stringContaining('canceling statement due to statement timeout') });
  });

  it("brings an empty database to this code's schema, as the template of the tests", async () => {
    const listTables = `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1`;
    await migrateDatabase(database.ownerUrl);
    const migrated = await client.query(listTables);

    const fromTemplate = await createTestDatabase();
    const templateClient = new pg.Client({ connectionString: fromTemplate.ownerUrl });
    await templateClient.connect();
    expect((await templateClient.query(listTables)).rows).toEqual(migrated.rows);
    expect(migrated.rows.length).toBeGreaterThan(10);
    await templateClient.end();
    await fromTemplate.drop();
  });
});
