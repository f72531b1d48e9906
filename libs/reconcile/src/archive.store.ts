import { sqlStateOf } from '@kilotoken/platform';
import type pg from 'pg';
import type { RowGroup } from './archive-file.store.js';

/** The record of an export. What is read of its file goes to temporary tables of one connection. */
export interface ArchiveRecord {
  readonly partition: string;
  readonly file: string;
  readonly sha256: string;
  readonly bytes: bigint;
  /** Empty: exported by a release that recorded no parts. */
  readonly partEnds: readonly bigint[];
  readonly partRows: readonly bigint[];
  readonly partSha256: readonly string[];
  /** Its rows are in `usage`, in a table of their own, or nowhere. */
  readonly state: 'attached' | 'detached' | 'dropped';
  readonly firstId: string;
  readonly untilId: string;
  readonly exportedAt: string;
}

const SELECT_RECORD = `SELECT partition, file, file_sha256 AS sha256, file_bytes AS bytes, coalesce(part_ends, '{}') AS "partEnds", coalesce(part_rows, '{}') AS "partRows", coalesce(part_sha256, '{}') AS "partSha256",
  CASE WHEN dropped_at IS NOT NULL THEN 'dropped' WHEN detached_at IS NOT NULL THEN 'detached' ELSE 'attached' END AS state, first_id AS "firstId", until_id AS "untilId", exported_at::text AS "exportedAt" FROM usage_archive`;

/** Those of a period: its bounds are moments of usage ids. */
export const listRecords = async (db: pg.PoolClient, firstId: string | null, untilId: string | null): Promise<ArchiveRecord[]> => {
  const { rows } = await db.query<ArchiveRecord>(`${SELECT_RECORD} WHERE ($1::uuid IS NULL OR until_id > $1) AND ($2::uuid IS NULL OR first_id < $2) ORDER BY first_id`, [firstId, untilId]);
  return rows;
};

/** The record as it is once nobody is replacing the file. */
export const readRecordAtRest = async (db: pg.PoolClient, partition: string): Promise<ArchiveRecord | undefined> => {
  await db.query("SELECT pg_advisory_lock(hashtextextended('usage_archive', 0))");
  await db.query("SELECT pg_advisory_unlock(hashtextextended('usage_archive', 0))");
  return (await db.query<ArchiveRecord>(`${SELECT_RECORD} WHERE partition = $1`, [partition])).rows[0];
};

/** False: a standby, or a login that may not, takes no temporary tables. */
export const createFileTables = async (db: pg.PoolClient): Promise<boolean> => {
  try {
    await db.query(`DROP TABLE IF EXISTS pg_temp.archive_file, pg_temp.archive_file_damage, pg_temp.archive_file_total;
      CREATE TEMPORARY TABLE archive_file (partition text, file text, exported_at timestamptz, sha256 text, bytes bigint, rows bigint, digest text, is_summed boolean);
      CREATE TEMPORARY TABLE archive_file_damage (partition text, place jsonb, expected text, found text);
      CREATE TEMPORARY TABLE archive_file_total (partition text, organization_id uuid, kind text, key text, amount numeric)`);
    return true;
  } catch (error) {
    if (!['25006', '42501'].includes(sqlStateOf(error) ?? '')) throw error;
    return false;
  }
};

export interface FileRead {
  readonly sha256: string | null;
  readonly bytes: bigint | null;
  readonly rows: number | null;
  readonly digest: string | null;
  /** Whether all of its rows were added to the sums. */
  readonly isSummed: boolean;
}

export const insertFile = async (db: pg.PoolClient, { partition, exportedAt }: ArchiveRecord, path: string, { sha256, bytes, rows, digest, isSummed }: FileRead): Promise<void> => {
  await db.query('INSERT INTO pg_temp.archive_file VALUES ($1, $2, $3, $4, $5, $6, $7, $8)', [partition, path, exportedAt, sha256, bytes, rows, digest, isSummed]);
};

export interface FileDamage {
  readonly place: Readonly<Record<string, string | number>>;
  readonly expected: string;
  readonly found: string;
}

export const insertDamage = async (db: pg.PoolClient, { partition }: ArchiveRecord, { place, expected, found }: FileDamage): Promise<void> => {
  await db.query('INSERT INTO pg_temp.archive_file_damage VALUES ($1, $2, $3, $4)', [partition, JSON.stringify(place), expected, found]);
};

export const listReplaced = async (db: pg.PoolClient): Promise<{ partition: string; file: string }[]> => {
  const { rows } = await db.query<{ partition: string; file: string }>(
    'SELECT f.partition, f.file FROM archive_file f LEFT JOIN usage_archive x ON x.partition = f.partition WHERE x.exported_at IS DISTINCT FROM f.exported_at ORDER BY 1',
  );
  return rows;
};

const summedColumns = ['organization_id', 'account_root_id', 'unit', 'charge', 'rated', 'cost', 'cost_currency', 'portions', 'allocations'] as const;

/** Adds up the rows of a group by what an export's sums are kept by. Its own text: the export has another. */
export const addUp = async (db: pg.PoolClient, { partition }: ArchiveRecord, { columns, rows }: RowGroup): Promise<void> => {
  const places = summedColumns.map((name) => columns.indexOf(name));
  const given = rows.map((row) => Object.fromEntries(summedColumns.map((name, index) => [name, places[index] === -1 ? null : row[places[index]!]])));
  await db.query(
    `INSERT INTO pg_temp.archive_file_total (partition, organization_id, kind, key, amount)
     SELECT $1, u.organization_id, k.kind, k.key, sum(k.amount)
     FROM json_to_recordset($2) AS u (organization_id uuid, account_root_id text, unit text, charge numeric, rated numeric, cost numeric, cost_currency text, portions text, allocations text)
     CROSS JOIN LATERAL (
       VALUES ('rows', u.account_root_id, 1::numeric), ('charge', u.unit, u.charge), ('rated', u.unit, u.rated), ('cost', u.cost_currency, u.cost)
       UNION ALL SELECT p.kind, p.unit, p.amount FROM jsonb_to_recordset(u.portions::jsonb) AS o (unit text, charge numeric, rated numeric)
         CROSS JOIN LATERAL (VALUES ('charge', o.unit, o.charge), ('rated', o.unit, o.rated)) AS p (kind, unit, amount) WHERE o.unit <> u.unit
       UNION ALL SELECT p.kind, p.key, a.amount FROM jsonb_to_recordset(u.allocations::jsonb) AS a ("grant" text, lease text, amount numeric)
         CROSS JOIN LATERAL (VALUES ('grant', a."grant"), ('lease', a.lease)) AS p (kind, key)) AS k (kind, key, amount)
     GROUP BY 1, 2, 3, 4`,
    [partition, JSON.stringify(given)],
  );
};

/** Rows of a partition in the order of its file, as texts; null where they are gone, or where this login may not read a table that was taken off. */
export const readTableRows = async (db: pg.PoolClient, { partition, state, firstId, untilId }: ArchiveRecord, columns: readonly string[], firstRow: number, count: number): Promise<(string | null)[][] | null> => {
  if (state === 'dropped') return null;
  const from = state === 'detached' ? `public.${db.escapeIdentifier(partition)}` : `public.usage WHERE id >= ${db.escapeLiteral(firstId)} AND id < ${db.escapeLiteral(untilId)}`;
  const texts = columns.map((name) => (name.endsWith('_at') ? `((extract(epoch FROM ${db.escapeIdentifier(name)}) * 1000000)::bigint)::text` : `${db.escapeIdentifier(name)}::text`));
  try {
    const text = `SELECT ${texts.join(', ')} FROM ${from} ORDER BY organization_id, id, attempt OFFSET ${firstRow} LIMIT ${count}`;
    return (await db.query<(string | null)[]>({ text, rowMode: 'array' })).rows;
  } catch (error) {
    if (sqlStateOf(error) !== '42501') throw error;
    return null;
  }
};
