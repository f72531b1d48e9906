import type { Db } from '@kilotoken/platform';
import type { PoolClient } from 'pg';
import { columnOf, textExpression, type Column, type Partition, type PartitionPeriod } from './partition.js';
import type { FilePart, TextRow } from './partition-file.store.js';

/** Makes the first partition that is missing in [from, until), or answers null. SQLSTATE 55P03: usage_default is in use. */
export const makePartition = async (db: Db, period: PartitionPeriod, range: { from: Date | null; until: Date }, moveMax: number): Promise<{ name: string; moved: number } | null> => {
  const { rows } = await db.query<{ made: string | null; moved: bigint }>('SELECT * FROM usage_partition_make($1, coalesce($2, kt_now()), $3, $4)', [period, range.from, range.until, moveMax]);
  const { made, moved } = rows[0]!;
  return made === null ? null : { name: made, moved: Number(moved) };
};

/** Rows of the default partition, counted up to `most`. */
export const countDefaultRows = async (db: Db, most: number): Promise<number> => {
  const { rows } = await db.query<{ rows: bigint }>('SELECT usage_default_rows($1) AS rows', [most]);
  return Number(rows[0]!.rows);
};

/** Every partition there is or was, in the order of time. Asks as the owner. */
export const listPartitions = async (db: Db): Promise<Partition[]> => {
  const { rows } = await db.query<Partition>(`
    SELECT coalesce(p.partition, a.partition) AS name, coalesce(p.first_id, a.first_id) AS "firstId", coalesce(p.until_id, a.until_id) AS "untilId",
      uuid_moment(coalesce(p.first_id, a.first_id)) AS from, uuid_moment(coalesce(p.until_id, a.until_id)) AS until,
      CASE WHEN a.dropped_at IS NOT NULL THEN 'dropped' WHEN a.detached_at IS NOT NULL THEN 'detached' WHEN a.partition IS NOT NULL THEN 'exported' ELSE 'attached' END AS state,
      a.rows, a.digest, a.file, a.file_sha256 AS "fileSha256", a.proven_at IS NOT NULL AS "isProven"
    FROM usage_partitions() p FULL JOIN usage_archive a ON a.partition = p.partition ORDER BY "firstId"`);
  return rows;
};

/** The columns of a partition itself: one that was detached has those that usage had then. */
export const readColumns = async (db: Db, partition: string): Promise<Column[]> => {
  const { rows } = await db.query<{ name: string; type: string; nullable: boolean }>(
    `SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, NOT a.attnotnull AS nullable FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
     WHERE c.relnamespace = 'public'::regnamespace AND c.relname = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
    [partition],
  );
  return rows.map(({ name, type, nullable }) => columnOf(name, type, nullable));
};

/**
 * The rows of one table in the order of their key, in groups; inside the caller's transaction, whose snapshot it reads. `exportedOnly`: without
 * rows that settled after the export that is recorded.
 */
export async function* readRows(db: PoolClient, table: string, columns: readonly Column[], rowsPerGroup: number, exportedOnly = false): AsyncGenerator<TextRow[]> {
  const which = exportedOnly ? `WHERE settled_at <= (SELECT a.exported_at FROM public.usage_archive a WHERE a.partition = ${db.escapeLiteral(table)})` : '';
  await db.query(`DECLARE exported NO SCROLL CURSOR FOR SELECT ${columns.map(textExpression).join(', ')} FROM public.${db.escapeIdentifier(table)} ${which} ORDER BY organization_id, id, attempt`);
  for (;;) {
    const { rows } = await db.query<(string | null)[]>({ text: `FETCH ${rowsPerGroup} FROM exported`, rowMode: 'array' });
    if (rows.length === 0) break;
    yield rows;
  }
  await db.query('CLOSE exported');
}

export interface ExportedFile {
  readonly rows: bigint;
  readonly digest: string;
  readonly path: string;
  readonly sha256: string;
  readonly bytes: bigint;
  readonly parts: readonly FilePart[];
  readonly partSha256: readonly string[];
}

/** Until the transaction ends nobody records an export, nor reads a file that this one is about to replace and calls it damaged (`reconcile`). */
export const lockArchive = async (db: PoolClient): Promise<void> => {
  await db.query("SELECT pg_advisory_xact_lock(hashtextextended('usage_archive', 0))");
};

/** Records an export with what its rows add up to. Answers how many rows the table has now: more than were exported came late. */
export const recordExport = async (db: PoolClient, { name, firstId, untilId }: Partition, { rows, digest, path, sha256, bytes, parts, partSha256 }: ExportedFile): Promise<bigint> => {
  const table = `public.${db.escapeIdentifier(name)}`;
  await db.query(
    `INSERT INTO usage_archive AS a (partition, first_id, until_id, rows, digest, file, file_sha256, file_bytes, part_ends, part_rows, part_sha256, settled_first, settled_last)
     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, min(settled_at), max(settled_at) FROM ${table}
     ON CONFLICT (partition) DO UPDATE SET rows = excluded.rows, digest = excluded.digest, file = excluded.file, file_sha256 = excluded.file_sha256,
       file_bytes = excluded.file_bytes, part_ends = excluded.part_ends, part_rows = excluded.part_rows, part_sha256 = excluded.part_sha256, settled_first = excluded.settled_first, settled_last = excluded.settled_last, exported_at = excluded.exported_at`,
    [name, firstId, untilId, rows, digest, path, sha256, bytes, parts.map(({ end }) => end), parts.map((part) => part.rows), partSha256],
  );
  await db.query('DELETE FROM usage_archive_total WHERE partition = $1', [name]);
  await db.query(
    `WITH row AS MATERIALIZED (SELECT organization_id, account_root_id, unit, cost_currency, charge, rated, cost, portions, allocations FROM ${table})
     INSERT INTO usage_archive_total (organization_id, partition, kind, key, amount)
     SELECT organization_id, $1, kind, key, sum(amount) FROM (
       SELECT organization_id, 'rows' AS kind, account_root_id::text AS key, 1::numeric AS amount FROM row
       UNION ALL SELECT organization_id, 'charge', unit, charge FROM row
       UNION ALL SELECT organization_id, 'rated', unit, rated FROM row
       -- A pack that paid: its unit is another one than the row's.
       UNION ALL SELECT organization_id, k.kind, p ->> 'unit', (p ->> k.kind)::numeric FROM row CROSS JOIN LATERAL jsonb_array_elements(portions) p CROSS JOIN (VALUES ('charge'), ('rated')) AS k (kind) WHERE p ->> 'unit' <> unit
       UNION ALL SELECT organization_id, 'cost', cost_currency, cost FROM row
       UNION ALL SELECT organization_id, k.kind, e ->> k.kind, (e ->> 'amount')::numeric FROM row CROSS JOIN LATERAL jsonb_array_elements(allocations) e
         CROSS JOIN (VALUES ('grant'), ('lease')) AS k(kind)) part
     GROUP BY organization_id, kind, key`,
    [name],
  );
  const { rows: counted } = await db.query<{ count: bigint }>("SELECT coalesce(sum(amount), 0)::bigint AS count FROM usage_archive_total WHERE partition = $1 AND kind = 'rows'", [name]);
  return counted[0]!.count;
};

/** Why a range may not leave yet: what could still write it or needs its rows. Null: nothing. */
export const findUseOf = async (db: Db, { firstId, untilId }: Partition): Promise<string | null> => {
  const { rows } = await db.query<{ use: string }>(
    `SELECT 'usage that is not rated' AS use WHERE EXISTS (SELECT FROM unrated_batch b CROSS JOIN LATERAL unnest(b.usage_ids) i(id) WHERE i.id >= $1 AND i.id < $2)
     UNION ALL SELECT 'usage that is not rolled up' WHERE EXISTS (SELECT FROM unrolled_batch b CROSS JOIN LATERAL unnest(b.usage_ids) i(id) WHERE i.id >= $1 AND i.id < $2)
     UNION ALL SELECT 'requests that run' WHERE EXISTS (SELECT FROM open_request WHERE id >= $1 AND id < $2)
     UNION ALL SELECT 'leases that are open since' WHERE EXISTS (SELECT FROM lease WHERE closed_at IS NULL AND first_usage_id < $2)
     LIMIT 1`,
    [firstId, untilId],
  );
  return rows[0]?.use ?? null;
};

/**
 * Takes a partition off and closes its range, in the caller's transaction. Everybody who uses usage waits from the first lock to the
 * commit, some milliseconds; it waits itself at most `lockWaitMs` (55P03).
 */
export const lockForDetach = async (db: PoolClient, name: string, lockWaitMs: number): Promise<void> => {
  await db.query("SELECT set_config('lock_timeout', $1, true)", [`${lockWaitMs}ms`]);
  await db.query('LOCK TABLE ONLY public.usage IN ACCESS EXCLUSIVE MODE');
  await db.query(`LOCK TABLE ONLY public.${db.escapeIdentifier(name)}, ONLY public.usage_default IN ACCESS EXCLUSIVE MODE`);
};

export const detachPartitionTable = async (db: PoolClient, name: string): Promise<void> => {
  await db.query('UPDATE usage_archive SET detached_at = kt_now() WHERE partition = $1 AND detached_at IS NULL', [name]);
  await db.query(`ALTER TABLE public.usage DETACH PARTITION public.${db.escapeIdentifier(name)}`);
};

/** Removes a partition that has no row, in the caller's transaction; false where it has one. */
export const removeEmptyTable = async (db: PoolClient, name: string): Promise<boolean> => {
  const table = `public.${db.escapeIdentifier(name)}`;
  const { rowCount } = await db.query(`SELECT FROM ${table} LIMIT 1`);
  if (rowCount !== 0) return false;
  await db.query(`ALTER TABLE public.usage DETACH PARTITION ${table}`);
  await db.query(`DROP TABLE ${table}`);
  return true;
};

export const markProven = async (db: Db, name: string): Promise<void> => {
  await db.query('UPDATE usage_archive SET proven_at = kt_now() WHERE partition = $1', [name]);
};

/**
 * Forgets the seals and the opened requests of a range whose rows leave. From when on rows are sealed is kept first, since the first seal
 * tells it otherwise. A flush at the edge of a range has seals of both sides: those outside stay.
 */
export const pruneProofs = async (db: PoolClient, { firstId, untilId }: Pick<Partition, 'firstId' | 'untilId'>): Promise<void> => {
  await db.query("UPDATE usage_seal_horizon SET sealed_from = (SELECT sealed_at + interval '1 minute' FROM usage_seal ORDER BY id LIMIT 1) WHERE sealed_from IS NULL");
  await db.query('DELETE FROM opened_request WHERE id >= $1 AND id < $2', [firstId, untilId]);
  await db.query('DELETE FROM usage_seal e WHERE NOT EXISTS (SELECT FROM unnest(e.usage_ids) AS k (id) WHERE k.id < $1 OR k.id >= $2)', [firstId, untilId]);
  await db.query(
    `UPDATE usage_seal e SET organization_ids = k.organization_ids, usage_ids = k.usage_ids, attempts = k.attempts, digests = k.digests
     FROM (SELECT o.id, array_agg(r.organization_id) AS organization_ids, array_agg(r.usage_id) AS usage_ids, array_agg(r.attempt) AS attempts, array_agg(r.digest) AS digests
       FROM usage_seal o CROSS JOIN LATERAL unnest(o.organization_ids, o.usage_ids, o.attempts, o.digests) AS r (organization_id, usage_id, attempt, digest)
       WHERE r.usage_id < $1 OR r.usage_id >= $2 GROUP BY 1) k
     WHERE k.id = e.id AND cardinality(k.usage_ids) < cardinality(e.usage_ids)`,
    [firstId, untilId],
  );
};

export const dropPartitionTable = async (db: PoolClient, name: string): Promise<void> => {
  await db.query(`DROP TABLE public.${db.escapeIdentifier(name)}`);
  await db.query('UPDATE usage_archive SET dropped_at = kt_now() WHERE partition = $1', [name]);
};
