import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { readCatalogue } from '../../../../test/support/catalogue.js';
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from '../../../../test/support/postgres.js';
import { unpackPreviousDatabase } from '../../../../test/support/previous-release.js';
import { itNeeds } from '../../../../test/support/requirements.js';
import { DEFINITIONS_FOLDER, readDefinitions } from './definitions.files.js';
import { readRules } from './definitions.rules.js';
import { MIGRATIONS_FOLDER, migrateDatabase } from './migrate.js';

/** The files of this repository beside the database that they make. The runner itself is tested in definitions.apply.db.spec.ts. */

let database: TestDatabase;
let owner: pg.Client;

beforeAll(async () => {
  database = await createTestDatabase();
  owner = await connect(database.ownerUrl);
});
afterAll(async () => {
  await owner.end();
  await database.drop();
});

async function connect(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  return client;
}

/** The changes of applying every file again: none, where the files equal the database. */
async function findDifferences(): Promise<string[]> {
  const before = await readCatalogue(owner);
  await owner.query('DELETE FROM applied_definition');
  await migrateDatabase(database.ownerUrl);
  const after = await readCatalogue(owner);
  return [...before.filter((line) => !after.includes(line)), ...after.filter((line) => !before.includes(line))];
}

describe('the files of definitions', () => {
  it('name each function of the database once, and no other', async () => {
    const { functions } = await readDefinitions(DEFINITIONS_FOLDER);
    const { rows } = await owner.query<{ name: string }>("SELECT proname::text AS name FROM pg_proc WHERE pronamespace = 'public'::regnamespace");
    expect(functions.map(({ name }) => name).sort()).toEqual(rows.map(({ name }) => name).sort());
    expect(functions.length).toBeGreaterThan(100);
  });

  it('hold the function of their name, its contract above it, and who may execute it', async () => {
    const { functions } = await readDefinitions(DEFINITIONS_FOLDER);
    const shape = (name: string) => new RegExp(`^(--.*\\n)+CREATE OR REPLACE FUNCTION ${name}\\([^]*\\$\\$;\\n\\n(ALTER FUNCTION ${name} OWNER TO \\w+;\\n)?REVOKE ALL ON FUNCTION ${name} FROM PUBLIC;\\n(GRANT EXECUTE ON FUNCTION ${name} TO [\\w, ]+;\\n)?\\n?$`);
    expect(functions.filter(({ name, sql }) => !shape(name).test(sql)).map(({ path }) => path)).toEqual([]);
  });

  it('write triggers and policies as Postgres does, so that only a changed one is made anew', async () => {
    const { rules, functions } = await readDefinitions(DEFINITIONS_FOLDER);
    const existing = await readRules(owner, functions.map(({ name }) => name));
    expect(rules.map(({ statement }) => statement).sort()).toEqual(existing.map(({ statement }) => statement).sort());
    const written = [...readdirSync(join(DEFINITIONS_FOLDER, 'policies'))].map((file) => basename(file, '.sql'));
    expect(written).toEqual(expect.arrayContaining(['funding', 'identity', 'ledger']));
  });

  it('say of every function, trigger, policy and right what the database has', async () => {
    expect(await findDifferences()).toEqual([]);
  });

  it.each([
    ['a body', "CREATE OR REPLACE FUNCTION idempotency_keys_max() RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT 1::bigint'", 'function idempotency_keys_max()'],
    ['a lost SET', 'ALTER FUNCTION lease_take RESET enable_seqscan', 'function lease_take('],
    ['an added SET', "ALTER FUNCTION settle SET work_mem = '1GB'", 'function settle('],
    ['another owner', 'ALTER FUNCTION grants_close OWNER TO CURRENT_USER', 'function grants_close('],
    ['the right of the caller', 'ALTER FUNCTION session_reap SECURITY INVOKER', 'function session_reap('],
    ['a right too many', 'GRANT EXECUTE ON FUNCTION session_reap TO kilotoken_gateway', 'function session_reap('],
    ['a right of everybody', 'GRANT EXECUTE ON FUNCTION outbox_forget TO PUBLIC', 'function outbox_forget('],
    ['a right too few', 'REVOKE EXECUTE ON FUNCTION settle FROM kilotoken_gateway', 'function settle('],
    ['a lost trigger', 'DROP TRIGGER ledger_posting_is_final ON ledger_posting', 'trigger ledger_posting_is_final'],
    ['a changed trigger', 'CREATE OR REPLACE TRIGGER key_changed AFTER DELETE ON api_key FOR EACH ROW EXECUTE FUNCTION organization_changed()', 'trigger key_changed'],
    ['a trigger too many', "CREATE TRIGGER another AFTER INSERT ON project FOR EACH ROW EXECUTE FUNCTION key_event('key.created')", 'trigger another'],
    ['a lost policy', 'DROP POLICY tenant ON usage', 'policy tenant on usage'],
    ['a wider policy', 'ALTER POLICY tenant ON lease USING (true)', 'policy tenant on lease'],
    ['a policy too many', 'CREATE POLICY all_of_it ON api_key FOR SELECT TO kilotoken_gateway USING (true)', 'policy all_of_it on api_key'],
    ['rows that nothing guards', 'ALTER TABLE api_key DISABLE ROW LEVEL SECURITY', 'table api_key '],
    ['a right to a table too many', 'GRANT SELECT ON webhook_secret TO kilotoken_gateway', 'table webhook_secret '],
    ['a right to a table too few', 'REVOKE INSERT ON usage FROM kilotoken_definer', 'table usage '],
  ])('differ from a database with %s, and put it right', async (_damage, sql, line) => {
    await owner.query(sql);
    expect(await findDifferences()).toContainEqual(expect.stringContaining(line));
    expect(await findDifferences()).toEqual([]);
  });
});

describe('a database of an earlier release', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kilotoken-earlier-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  const expectUpgraded = async (files: { migrationsFolder: string; definitionsFolder?: string }, hasFunction: string): Promise<void> => {
    const [upgraded, fresh] = [await createEmptyDatabase(), await createTestDatabase()];
    const clients: pg.Client[] = [];
    try {
      clients.push(await connect(upgraded.ownerUrl), await connect(fresh.ownerUrl));
      await migrateDatabase(upgraded.ownerUrl, files);
      expect(await readCatalogue(clients[0]!)).toContainEqual(expect.stringContaining(`function ${hasFunction}(`));
      await migrateDatabase(upgraded.ownerUrl);
      expect(await readCatalogue(clients[0]!)).toEqual(await readCatalogue(clients[1]!));
    } finally {
      await Promise.all(clients.map((client) => client.end()));
      await Promise.all([upgraded.drop(), fresh.drop()]);
    }
  };

  it('0.2.0, whose functions stand in its migrations, becomes what an empty one becomes', async () => {
    for (const name of readdirSync(MIGRATIONS_FOLDER).filter((migration) => migration <= '20261128200000_service_roles')) {
      cpSync(join(MIGRATIONS_FOLDER, name), join(folder, 'migrations', name), { recursive: true });
    }
    await expectUpgraded({ migrationsFolder: join(folder, 'migrations') }, 'key_authenticate');
  });

  itNeeds('previous-release')('the one before this becomes what an empty one becomes', async () => {
    await expectUpgraded(unpackPreviousDatabase(join(folder, 'previous')), 'grant_issue');
  });
});
