import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres.js';
import { createPool } from './database.js';

/**
 * The models under prisma/models and a migrated database say the same. Both are brought to one form and compared whole; what
 * Prisma has no words for (CHECKs, partial indexes, row-level security) is proven where it matters.
 */
interface Column {
  readonly type: string;
  readonly nullable: boolean;
  readonly hasDefault: boolean;
}
interface Table {
  readonly columns: Readonly<Record<string, Column>>;
  readonly primaryKey: string;
  readonly uniques: string[];
  readonly indexes: string[];
  readonly foreignKeys: string[];
}

const folder = fileURLToPath(new URL('../../../../prisma/models/', import.meta.url));
const listed = (names: string): string[] => names.split(',').map((name) => name.trim());

const nativeTypes: Readonly<Record<string, string>> = {
  String: 'text',
  Boolean: 'boolean',
  Int: 'integer',
  BigInt: 'bigint',
  Json: 'jsonb',
  Bytes: 'bytea',
  '@db.Date': 'date',
  '@db.Uuid': 'uuid',
  '@db.SmallInt': 'smallint',
  '@db.Timestamptz(6)': 'timestamp(6) with time zone',
  '@db.Decimal(38, 12)': 'numeric(38,12)',
  '@db.Decimal(38, 0)': 'numeric(38,0)',
};

/** Reads what `prisma format` writes: a field a line, its attributes behind its type. */
const readModels = (): Record<string, Table> => {
  const text = readdirSync(folder).map((file) => readFileSync(folder + file, 'utf8')).join('\n');
  const blocks = [...text.matchAll(/^model (\w+) \{\n([^]*?)^\}/gm)].map(([, name, body]) => ({ name: name!, lines: body!.split('\n').map((line) => line.trim()) }));
  const tableOf = new Map(blocks.map(({ name, lines }) => [name, /@@map\("(\w+)"\)/.exec(lines.join('\n'))?.[1] ?? name]));
  return Object.fromEntries(blocks.map(({ name, lines }) => [tableOf.get(name)!, readModel(lines, tableOf)]));
};

const readModel = (lines: string[], tableOf: ReadonlyMap<string, string>): Table => {
  const fields = lines.flatMap((line) => {
    const [, field, type, mark, attributes] = /^(\w+)\s+(Unsupported\("\w+"\)|\w+)(\[\]|\?)?\s*(.*)$/.exec(line) ?? [];
    return field && type ? [{ field, type, mark: mark ?? '', attributes: attributes ?? '' }] : [];
  });
  const columnOf = new Map(fields.map(({ field, attributes }) => [field, /@map\("(\w+)"\)/.exec(attributes)?.[1] ?? field]));
  const columnsOf = (names: string) => listed(names).map((name) => columnOf.get(name)!).join(',');
  const scalars = fields.filter(({ type }) => !tableOf.has(type));
  const blockList = (attribute: string) => lines.flatMap((line) => new RegExp(`^@@${attribute}\\(\\[([^\\]]+)\\]`).exec(line)?.[1] ?? []).map(columnsOf);
  const marked = (attribute: string) => scalars.filter(({ attributes }) => new RegExp(`@${attribute}( |$)`).test(attributes)).map(({ field }) => columnOf.get(field)!);
  return {
    columns: Object.fromEntries(
      scalars.map(({ field, type, mark, attributes }) => {
        const native = Object.keys(nativeTypes).find((name) => name.startsWith('@') && attributes.includes(name)) ?? type;
        const base = /Unsupported\("(\w+)"\)/.exec(native)?.[1] ?? nativeTypes[native] ?? `unknown ${native}`;
        const column = { type: mark === '[]' ? `${base}[]` : base, nullable: mark === '?', hasDefault: attributes.includes('@default(') };
        return [columnOf.get(field)!, column];
      }),
    ),
    primaryKey: [...blockList('id'), ...marked('id')].join(),
    uniques: [...blockList('unique'), ...marked('unique')].sort(),
    indexes: blockList('index').sort(),
    foreignKeys: fields
      .flatMap(({ type, attributes }) => {
        const [, from, to] = /@relation\(fields: \[([^\]]+)\], references: \[([^\]]+)\]/.exec(attributes) ?? [];
        // References are id columns, whose names differ by case alone: organizationId is organization_id.
        if (!from || !to) return [];
        const columns = listed(to).map((name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
        return [`${columnsOf(from)} → ${tableOf.get(type)}(${columns.join(',')})`];
      })
      .sort(),
  };
};

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

/** Tables that are no partition of another and not the migrations' own history. Partial and expression indexes are left out. */
const readDatabase = async (): Promise<Record<string, Table>> => {
  const { rows } = await owner.query<{ name: string; table: Table }>(`
    SELECT c.relname AS name, json_build_object(
      'columns', (SELECT json_object_agg(a.attname, json_build_object(
          'type', format_type(a.atttypid, CASE WHEN a.atttypid = 'timestamptz'::regtype THEN 6 ELSE a.atttypmod END), 'nullable', NOT a.attnotnull, 'hasDefault', a.atthasdef))
        FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
      'primaryKey', (SELECT string_agg(a.attname, ',' ORDER BY k.position) FROM pg_index i, unnest(i.indkey) WITH ORDINALITY AS k(attnum, position)
        JOIN pg_attribute a ON a.attnum = k.attnum WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = c.oid),
      'uniques', (SELECT coalesce(json_agg(x.names ORDER BY x.names COLLATE "C"), '[]') FROM (SELECT i.indexrelid, string_agg(a.attname, ',' ORDER BY k.position) AS names
        FROM pg_index i, unnest(i.indkey) WITH ORDINALITY AS k(attnum, position) JOIN pg_attribute a ON a.attnum = k.attnum
        WHERE i.indrelid = c.oid AND a.attrelid = c.oid AND i.indisunique AND NOT i.indisprimary AND i.indpred IS NULL GROUP BY i.indexrelid) x),
      'indexes', (SELECT coalesce(json_agg(x.names ORDER BY x.names COLLATE "C"), '[]') FROM (SELECT i.indexrelid, string_agg(a.attname, ',' ORDER BY k.position) AS names
        FROM pg_index i, unnest(i.indkey) WITH ORDINALITY AS k(attnum, position) JOIN pg_attribute a ON a.attnum = k.attnum
        WHERE i.indrelid = c.oid AND a.attrelid = c.oid AND NOT i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL GROUP BY i.indexrelid) x),
      'foreignKeys', (SELECT coalesce(json_agg(x.text ORDER BY x.text COLLATE "C"), '[]') FROM (SELECT
          (SELECT string_agg(a.attname, ',' ORDER BY k.position) FROM unnest(f.conkey) WITH ORDINALITY AS k(attnum, position)
             JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.attnum) || ' → ' || f.confrelid::regclass || '(' ||
          (SELECT string_agg(a.attname, ',' ORDER BY k.position) FROM unnest(f.confkey) WITH ORDINALITY AS k(attnum, position)
             JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.attnum) || ')' AS text
        FROM pg_constraint f WHERE f.conrelid = c.oid AND f.contype = 'f') x)) AS table
    FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> '_prisma_migrations'
    ORDER BY c.relname`);
  return Object.fromEntries(rows.map(({ name, table }) => [name, table]));
};

/** Prisma's lists are never nullable, so the models cannot say it; a list's NULL is read as an empty one. */
const withoutListNullability = (tables: Record<string, Table>): Record<string, Table> => {
  const forget = (column: Column): Column => (column.type.endsWith('[]') ? { ...column, nullable: false } : column);
  const forgetAll = (columns: Table['columns']) => Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, forget(column)]));
  return Object.fromEntries(Object.entries(tables).map(([name, table]) => [name, { ...table, columns: forgetAll(table.columns) }]));
};

describe('the models of Prisma and the migrations', () => {
  test('have the same tables', async () => {
    expect(Object.keys(readModels()).sort()).toEqual(Object.keys(await readDatabase()).sort());
  });

  test('agree on every column, key, index and reference', async () => {
    expect(withoutListNullability(readModels())).toEqual(withoutListNullability(await readDatabase()));
  });

  test('are told apart when a column differs', async () => {
    await owner.query('ALTER TABLE organization ALTER COLUMN time_zone DROP NOT NULL');
    await owner.query('ALTER TABLE lane ALTER COLUMN position TYPE integer');
    const actual = await readDatabase();
    expect(actual['organization']!.columns['time_zone']).not.toEqual(readModels()['organization']!.columns['time_zone']);
    expect(actual['lane']!.columns['position']).not.toEqual(readModels()['lane']!.columns['position']);
  });
});
