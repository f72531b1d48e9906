import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MoneyDatabase } from '../../../../test/support/money-database.js';

/**
 * Postgres becomes Citus by distributing on `organization_id` (prisma/citus/distribute.sql). No Citus is needed to know whether the
 * schema allows it: its rules are about indexes, references and what a statement names. What does not fit yet is listed here with
 * its reason, and in docs/operations/citus.md.
 */
const root = fileURLToPath(new URL('../../../..', import.meta.url));

let money: MoneyDatabase;
let distributed: Set<string>;
let reference: Set<string>;

beforeAll(async () => {
  money = await MoneyDatabase.create();
  const tables = await names("SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition");
  const keyed = await names("SELECT attrelid::regclass::text AS name FROM pg_attribute WHERE attname = 'organization_id' AND attnotnull AND attnum > 0");
  const declared = /reference_tables CONSTANT text\[\] := ARRAY\[(.*)\];/.exec(readFileSync(join(root, 'prisma/citus/distribute.sql'), 'utf8'))![1]!;
  reference = new Set(declared.split(', ').map((name) => name.slice(1, -1)));
  distributed = new Set(tables.filter((table) => keyed.includes(table) && !reference.has(table)));
});
afterAll(() => money.drop());

const names = async (sql: string): Promise<string[]> => (await money.sql<{ name: string }>(sql)).map(({ name }) => name);

describe('the schema', () => {
  it('has tables to distribute', () => {
    for (const table of ['credit_grant', 'lease', 'open_request', 'usage', 'ledger_posting']) expect(distributed).toContain(table);
    for (const table of ['organization', 'api_key', 'model', 'rate']) expect(reference).toContain(table);
  });

  it('holds the organization in every unique index of a distributed table', async () => {
    const indexes = await money.sql<{ table: string; name: string; columns: string[] }>(
      `SELECT i.indrelid::regclass::text AS "table", i.indexrelid::regclass::text AS name,
              array(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)) AS columns
       FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE i.indisunique AND c.relnamespace = 'public'::regnamespace AND NOT c.relispartition`,
    );
    const checked = indexes.filter(({ table }) => distributed.has(table));
    expect(checked.length).toBeGreaterThan(10);
    expect(checked.filter(({ columns }) => !columns.includes('organization_id')).map(({ name }) => name)).toEqual([]);
  });

  it('references a distributed table only with the organization, and from no table that is not distributed', async () => {
    const references = await money.sql<{ name: string; from: string; to: string; columns: string[]; targets: string[] }>(
      `SELECT c.conname AS name, c.conrelid::regclass::text AS "from", c.confrelid::regclass::text AS "to",
              array(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY k (n, o) JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.n ORDER BY o) AS columns,
              array(SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY k (n, o) JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.n ORDER BY o) AS targets
       FROM pg_constraint c WHERE c.contype = 'f' AND c.connamespace = 'public'::regnamespace AND c.conparentid = 0`,
    );
    // To a reference table anything goes, since each node has all of it; to an ordinary table of the coordinator nothing does.
    const isAllowed = ({ from, to, columns, targets }: (typeof references)[number]): boolean => {
      if (distributed.has(to)) return distributed.has(from) && targets[columns.indexOf('organization_id')] === 'organization_id';
      if (reference.has(to)) return true;
      return !distributed.has(from) && !reference.has(from);
    };
    const wrong = references.filter((each) => !isAllowed(each));
    expect(references.length).toBeGreaterThan(10);
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });
});

describe('the distributing script', () => {
  it('stops at the triggers, by their names, before it has changed anything', async () => {
    const [firstBlock] = /DO \$\$[\s\S]*?END \$\$;/.exec(readFileSync(join(root, 'prisma/citus/distribute.sql'), 'utf8'))!;
    await expect(money.sql(firstBlock)).rejects.toThrow(/triggers would run on the workers: .*key_changed.*organization_changed/);
  });
});

/** Where statements stand that go to every node, or seem to: none of them is part of a request. */
const everywhere: Readonly<Record<string, string>> = {
  limit_reap: "a dead gateway's rows, once",
  session_reap: "a dead gateway's rows, once",
  outbox_state: 'a metric, of everybody',
  rollup_prune: 'minutes that are over, of everybody, once an hour',
  rollup_rebuild: 'a period, of everybody, by hand',
  'libs/metering/src/partition.store.ts': 'a range of time that leaves, once a month',
  'libs/metering/src/quarantine.store.ts': 'names it in a condition that stands beside the statement',
};

/** Locks rows of several organizations in one statement: Citus locks rows of one shard at a time. docs/operations/citus.md names them. */
const locksOfManyOrganizations = ['grants_close', 'grants_expire', 'idempotency_expire', 'lease_shrink', 'outbox_forget', 'outbox_jobs_take', 'rating_post', 'session_reap'];

interface Statement {
  where: string;
  text: string;
}

const touched = ({ text }: Statement): string[] =>
  [...text.matchAll(/\b(?:FROM|JOIN|UPDATE|INTO|USING)\s+(?:ONLY\s+)?(?:public\.)?(\w+)/gi)].map(([, name]) => name!).filter((name) => distributed.has(name));

const functionStatements = async (): Promise<Statement[]> => {
  const functions = await money.sql<{ name: string; body: string }>("SELECT proname AS name, prosrc AS body FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'");
  return functions.flatMap(({ name, body }) => body.replace(/--.*$/gm, '').split(';').map((text) => ({ where: name, text: text.trim() })));
};

const storeStatements = (): Statement[] => {
  const stores = ['libs/funding/src', 'libs/metering/src', 'libs/quota/src', 'apps/gateway/src'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.store.ts')).map((path) => `${folder}/${path}`),
  );
  return stores.flatMap((path) => [...readFileSync(join(root, path), 'utf8').matchAll(/(['`])((?:SELECT|INSERT|UPDATE|DELETE|WITH)\b[\s\S]*?)\1/g)].map(([, , text]) => ({ where: path, text: text! })));
};

describe('every statement of the hot path', () => {
  it('that touches a distributed table names the organization', async () => {
    const statements = [...(await functionStatements()), ...storeStatements()];
    const touching = statements.filter((statement) => touched(statement).length > 0);
    expect(touching.length).toBeGreaterThan(40);
    const silent = touching.filter(({ text }) => !/organization/i.test(text)).map(({ where }) => where);
    expect(silent.length).toBeGreaterThan(0);
    expect(silent.filter((where) => !(where in everywhere))).toEqual([]);
  });

  it('locks rows of one organization, but for the functions that carry many by nature', async () => {
    const locking = (await functionStatements()).filter((statement) => touched(statement).length > 0 && /\bFOR (UPDATE|SHARE|NO KEY UPDATE)\b/i.test(statement.text));
    const many = locking.filter(({ text }) => !/organization_id\s*=\s*(p_\w+|v_\w+|\$\d+)/i.test(text)).map(({ where }) => where);
    expect(many.length).toBeGreaterThan(0);
    expect(many.filter((where) => !locksOfManyOrganizations.includes(where))).toEqual([]);
    const page = readFileSync(join(root, 'docs/operations/citus.md'), 'utf8');
    expect(locksOfManyOrganizations.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });
});
