import { tokenClasses } from '@kilotoken/contracts';
import type { Db } from '@kilotoken/platform';
import { histogramBoundsMs, type Granularity, type ParsedRollupQuery, type RollupSums } from './rollup.js';

/** Adds flushes that wait to the rollups, in one statement. Zeros: none wait, or another process is at it. */
export const addRollups = async (db: Db, batchesMax: number): Promise<{ batches: number; rows: number }> => {
  const { rows } = await db.query<{ batches: bigint; rows: bigint }>({ name: 'rollup_add', text: 'SELECT * FROM rollup_add($1)', values: [batchesMax] });
  return { batches: Number(rows[0]!.batches), rows: Number(rows[0]!.rows) };
};

export interface RollupLag {
  readonly batches: number;
  readonly oldestSeconds: number;
}

export const readRollupLag = async (db: Db): Promise<RollupLag> => {
  const { rows } = await db.query<{ batches: bigint; oldest_seconds: number }>('SELECT * FROM rollup_lag()');
  return { batches: Number(rows[0]!.batches), oldestSeconds: rows[0]!.oldest_seconds };
};

/** Deletes some rollups by the minute that are older than so many days; answers how many. */
export const pruneMinutes = async (db: Db, days: number, rowsMax: number): Promise<number> => {
  const { rows } = await db.query<{ pruned: bigint }>('SELECT rollup_prune($1, $2) AS pruned', [days, rowsMax]);
  return Number(rows[0]!.pruned);
};

/** From when on rollups by the minute are kept. */
export const readMinutesFrom = async (db: Db): Promise<Date> => {
  const { rows } = await db.query<{ from: Date }>('SELECT minutes_from AS from FROM rollup_horizon');
  return rows[0]!.from;
};

/** Makes one day of UTC anew from usage. Answers how many usage rows it counted. */
export const rebuildDay = async (db: Db, day: Date): Promise<number> => {
  const { rows } = await db.query<{ counted: bigint }>("SELECT rollup_rebuild($1::timestamptz, $1::timestamptz + interval '24 hours') AS counted", [day]);
  return Number(rows[0]!.counted);
};

/** The days of UTC in which usage settled or for which rollups stand, from the first to the last. Null: there are none. */
export const readRolledDays = async (db: Db): Promise<{ first: Date; last: Date } | null> => {
  const { rows } = await db.query<{ first: Date | null; last: Date | null }>(`
    SELECT date_bin('1 day', least((SELECT min(settled_at) FROM usage), (SELECT min(starts_at) FROM usage_rollup)), 'epoch') AS first,
      date_bin('1 day', greatest((SELECT max(settled_at) FROM usage), (SELECT max(starts_at) FROM usage_rollup)), 'epoch') AS last`);
  const { first, last } = rows[0]!;
  return first && last ? { first, last } : null;
};

/**
 * A moment as it was asked for: a day begins with its first moment, which is not always midnight, and where the clock is put
 * back at midnight is the earlier of two.
 */
export const resolveMoment = async (db: Db, text: string, timeZone: string): Promise<Date> => {
  if (text.includes('T')) return new Date(text);
  const { rows } = await db.query<{ moment: Date }>(
    `SELECT coalesce(min(m) FILTER (WHERE (m AT TIME ZONE $2)::date = $1::date), min(m) FILTER (WHERE k = 0)) AS moment
     FROM generate_series(0, 12) k CROSS JOIN LATERAL (SELECT ($1::date::timestamp AT TIME ZONE $2) - k * interval '15 minutes' AS m) candidate`,
    [text, timeZone],
  );
  return rows[0]!.moment;
};

/** Which rollups a query is made of: those of UTC's days where these or its months are asked for, else quarters of an hour. */
export const grainOf = (granularity: Granularity, timeZone: string): 1 | 15 | 1440 =>
  granularity === 'minute' ? 1 : (granularity === 'day' || granularity === 'month') && timeZone === 'UTC' ? 1440 : 15;

const columnOf: Readonly<Record<string, string>> = { project: 'r.project_id', apiKey: 'r.api_key_id', model: 'r.model', lane: 'r.lane_id' };

const sumOfHistogram = (column: string): string =>
  `ARRAY[${[...histogramBoundsMs, Infinity].map((_, index) => `sum(r.${column}[${index + 1}])`).join(', ')}]::text[] AS ${column}`;

const sums = [
  ...['requests', 'errors', 'failed_attempts', ...tokenClasses.map((name) => `${name}_tokens`), 'charge', 'cost', 'first_token_ms', 'duration_ms'].map((column) => `sum(r.${column})::text AS ${column}`),
  sumOfHistogram('first_token_histogram'),
  sumOfHistogram('duration_histogram'),
].join(', ');

/**
 * Sums by period, group and units. A period is one hour, day or month of the zone: quarters of the same local
 * date or month, and for hours of the same distance from UTC, so that the hour that a clock shows twice is two.
 */
export const readSums = async (db: Db, { organizationId, granularity, groupBy, timeZone, filter }: ParsedRollupQuery, range: { from: Date; until: Date }, rowsMax: number): Promise<RollupSums[]> => {
  const tag = groupBy.find((name) => name.startsWith('tag:'))?.slice('tag:'.length) ?? '';
  const groups = groupBy.map((name, index) => `${columnOf[name] ?? 'r.tag_value'} AS group_${index}`);
  const grain = grainOf(granularity, timeZone);
  const { rows } = await db.query<RollupSums>(
    `WITH step AS (SELECT s, s AT TIME ZONE $6 AS local FROM generate_series($4::timestamptz, $5::timestamptz - make_interval(mins => $2), make_interval(mins => $2)) s),
     period AS (
       SELECT s, min(s) OVER same AS starts_at, max(s) OVER same + make_interval(mins => $2) AS ends_at FROM step
       WINDOW same AS (PARTITION BY date_trunc($7, local), CASE WHEN $7 NOT IN ('day', 'month') THEN (s AT TIME ZONE 'UTC') - local END))
     SELECT p.starts_at, p.ends_at, r.unit, r.cost_currency, ${[...groups, sums].join(', ')}
     FROM usage_rollup r JOIN period p ON p.s = r.starts_at
     WHERE r.organization_id = $1 AND r.grain_minutes = $2 AND r.tag_key = $3 AND r.starts_at >= $4 AND r.starts_at < $5
       AND ($9::text[] IS NULL OR r.model = ANY ($9)) AND ($10::uuid[] IS NULL OR r.project_id = ANY ($10)) AND ($11::uuid[] IS NULL OR r.api_key_id = ANY ($11))
       AND ($12::text IS NULL OR r.unit = $12)
     GROUP BY p.starts_at, p.ends_at, ${[...groupBy.map((_, index) => `group_${index}`), 'r.unit', 'r.cost_currency'].join(', ')}
     ORDER BY p.starts_at, ${[...groupBy.map((_, index) => `group_${index}`), 'r.unit', 'r.cost_currency'].join(', ')}
     LIMIT $8`,
    [organizationId, grain, tag, range.from, range.until, timeZone, granularity, rowsMax, filter.models, filter.projectIds, filter.apiKeyIds, filter.unit],
  );
  return rows;
};
