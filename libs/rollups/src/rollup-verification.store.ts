import { tokenClasses } from '@kilotoken/contracts';
import type { Db } from '@kilotoken/platform';
import { histogramBoundsMs, restTag, rolledTagCharactersMax, rolledTagsMax } from './rollup.js';

/**
 * The proof of the rollups: what usage says they should be, by other arithmetic than the one that keeps them, compared with
 * what they are. One statement, so one snapshot: usage may be settled, rated and rolled up all the while.
 */
export interface RollupDifference {
  readonly organizationId: string;
  readonly grainMinutes: number;
  readonly startsAt: Date;
  readonly tagKey: string;
  /** All columns of the rollup as usage says it should be; null: there should be none. */
  readonly expected: Readonly<Record<string, unknown>> | null;
  /** As it stands; null: it is missing. */
  readonly stored: Readonly<Record<string, unknown>> | null;
}

export interface RollupProof {
  readonly usageRows: number;
  readonly rollups: number;
  /** Usage rows that wait to be rated or rolled up, and are in neither. */
  readonly waitingRows: number;
  /** Days of UTC of which usage has left the database: their rollups stand, and cannot be proven here. */
  readonly daysArchived: number;
  readonly differences: readonly RollupDifference[];
}

const histogram = (ms: string): string => {
  const bounds = [-1, ...histogramBoundsMs, Infinity];
  const buckets = bounds.slice(1).map((upper, index) => `count(*) FILTER (WHERE ${ms} >= ${bounds[index]}${upper === Infinity ? '' : ` AND ${ms} < ${upper}`})`);
  return `ARRAY[${buckets.join(', ')}]`;
};

const tokens = (name: string): string =>
  `coalesce(sum((counts ->> '${name}')::numeric) FILTER (WHERE jsonb_typeof(counts -> '${name}') = 'number'
     AND counts ->> '${name}' ~ '^\\d{1,16}(\\.0*)?$' AND (counts ->> '${name}')::numeric <= 9007199254740991), 0)::numeric(38, 0) AS ${name}_tokens`;

/** Dimensions, in the order of the primary key. */
export const rollupKey = 'organization_id, grain_minutes, tag_key, starts_at, project_id, api_key_id, model, lane_id, unit, cost_currency, tag_value';

export interface RollupRange {
  /** SQL of a moment: whole days of UTC. */
  readonly from: string;
  readonly until: string;
  /** A condition that begins with AND, or nothing. */
  readonly organization: (column: string) => string;
}

/**
 * The rollups that usage makes, and the stored ones: common table expressions `expected` and `stored`, with the columns of
 * usage_rollup. Reconcile proves by them too.
 */
export const rolledUpAgain = ({ from, until, organization }: RollupRange): string => `
  waiting AS (
    SELECT k.* FROM (SELECT organization_ids, usage_ids, attempts FROM unrated_batch UNION ALL SELECT organization_ids, usage_ids, attempts FROM unrolled_batch) b
    CROSS JOIN LATERAL unnest(b.organization_ids, b.usage_ids, b.attempts) AS k(organization_id, id, attempt)),
  archived AS (
    SELECT DISTINCT d AS day FROM usage_archive a CROSS JOIN LATERAL generate_series(date_bin('1 day', a.settled_first, 'epoch'), a.settled_last, '24 hours') d
    WHERE a.detached_at IS NOT NULL),
  counted AS MATERIALIZED (
    SELECT u.*, CASE WHEN u.first_token_at IS NOT NULL THEN round(greatest(extract(epoch FROM u.first_token_at) - extract(epoch FROM u.admitted_at), 0) * 1000) END AS first_ms,
      CASE WHEN u.outcome = 'completed' THEN round(greatest(extract(epoch FROM u.finished_at) - extract(epoch FROM u.admitted_at), 0) * 1000) END AS whole_ms
    FROM usage u LEFT JOIN waiting w ON w.organization_id = u.organization_id AND w.id = u.id AND w.attempt = u.attempt
    WHERE w.id IS NULL AND u.settled_at >= ${from} AND u.settled_at < ${until}${organization('u.organization_id')} AND date_bin('1 day', u.settled_at, 'epoch') NOT IN (SELECT day FROM archived)),
  paid AS (
    SELECT organization_id, id, attempt, project_id, api_key_id, model, lane_id, cost_currency, settled_at, unit, charge, cost, counts, status, outcome, first_ms, whole_ms FROM counted
    UNION ALL
    -- A pack that pays adds its charge alone: the request itself is counted in the currency of its price.
    SELECT c.organization_id, c.id, c.attempt, c.project_id, c.api_key_id, c.model, c.lane_id, c.cost_currency, c.settled_at, p ->> 'unit', sum((p ->> 'charge')::numeric), 0, '{}', NULL, NULL, NULL, NULL
    FROM counted c CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(c.portions) WHEN 'array' THEN c.portions END) p WHERE p ->> 'unit' <> c.unit GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
  tag AS (
    SELECT organization_id, id, attempt, '' AS tag_key, '' AS tag_value FROM counted
    UNION ALL
    SELECT DISTINCT n.organization_id, n.id, n.attempt, CASE WHEN of_key.tag_key IS NULL THEN '${restTag}' ELSE n.key END, CASE WHEN own.tag_key IS NULL THEN '${restTag}' ELSE n.value END FROM (
      SELECT c.organization_id, c.id, c.attempt, to_timestamp(floor(extract(epoch FROM c.settled_at) / 86400) * 86400) AS day, e.key, substr(coalesce(e.value, ''), 1, ${rolledTagCharactersMax}) AS value,
        row_number() OVER (PARTITION BY c.organization_id, c.id, c.attempt ORDER BY e.key COLLATE "C") AS place
      FROM counted c CROSS JOIN LATERAL jsonb_each_text(CASE jsonb_typeof(c.tags) WHEN 'object' THEN c.tags ELSE '{}' END) e WHERE e.key <> '') n
    LEFT JOIN rollup_tag own ON (own.organization_id, own.day, own.tag_key, own.tag_value) = (n.organization_id, n.day, n.key, n.value)
    LEFT JOIN (SELECT DISTINCT organization_id, day, tag_key FROM rollup_tag) of_key ON (of_key.organization_id, of_key.day, of_key.tag_key) = (n.organization_id, n.day, n.key)
    WHERE n.place <= ${rolledTagsMax}),
  expected AS (
    SELECT organization_id, grain_minutes, tag_key, to_timestamp(floor(extract(epoch FROM settled_at) / (grain_minutes * 60)) * grain_minutes * 60) AS starts_at,
      project_id, api_key_id, model, coalesce(lane_id, '00000000-0000-0000-0000-000000000000') AS lane_id, unit, cost_currency, tag_value,
      count(*) FILTER (WHERE status <> 0) AS requests,
      count(*) FILTER (WHERE status <> 0 AND outcome <> 'completed' AND outcome <> 'client_closed') AS errors,
      count(*) FILTER (WHERE status = 0) AS failed_attempts, ${tokenClasses.map(tokens).join(', ')},
      sum(charge) AS charge, sum(cost) AS cost, coalesce(sum(first_ms), 0) AS first_token_ms, ${histogram('first_ms')} AS first_token_histogram,
      coalesce(sum(whole_ms), 0) AS duration_ms, ${histogram('whole_ms')} AS duration_histogram
    FROM paid JOIN tag USING (organization_id, id, attempt) CROSS JOIN (VALUES (1), (15), (1440)) AS g(grain_minutes)
    WHERE grain_minutes > 1 OR settled_at >= (SELECT minutes_from FROM rollup_horizon)
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11),
  stored AS (
    SELECT * FROM usage_rollup WHERE starts_at >= ${from} AND starts_at < ${until}${organization('organization_id')} AND date_bin('1 day', starts_at, 'epoch') NOT IN (SELECT day FROM archived)
      AND (grain_minutes > 1 OR starts_at >= (SELECT minutes_from FROM rollup_horizon)))`;

const statement = `
  WITH ${rolledUpAgain({ from: '$1', until: '$2', organization: () => '' })},
  difference AS (
    SELECT organization_id, grain_minutes, starts_at, tag_key, to_jsonb(e) AS expected, to_jsonb(s) AS stored
    FROM expected e FULL JOIN stored s USING (${rollupKey})
    WHERE to_jsonb(e) IS DISTINCT FROM to_jsonb(s) ORDER BY ${rollupKey} LIMIT $3)
  SELECT (SELECT count(*) FROM counted) AS "usageRows", (SELECT count(*) FROM stored) AS rollups, (SELECT count(*) FROM waiting) AS "waitingRows",
    (SELECT count(*) FROM archived WHERE day >= $1 AND day < $2) AS "daysArchived",
    (SELECT coalesce(json_agg(json_build_object('organizationId', organization_id, 'grainMinutes', grain_minutes, 'startsAt', starts_at, 'tagKey', tag_key,
      'expected', expected, 'stored', stored)), '[]') FROM difference) AS differences`;

interface ProofRow {
  usageRows: bigint;
  rollups: bigint;
  waitingRows: bigint;
  daysArchived: bigint;
  differences: (Omit<RollupDifference, 'startsAt'> & { startsAt: string })[];
}

/** Compares whole days of UTC, [from, until), in a session that sees all organizations. At most `differencesMax` differences are named. */
export const compareWithUsage = async (db: Db, range: { from: Date; until: Date }, differencesMax: number): Promise<RollupProof> => {
  const { rows } = await db.query<ProofRow>(statement, [range.from, range.until, differencesMax]);
  const { usageRows, rollups, waitingRows, daysArchived, differences } = rows[0]!;
  return {
    usageRows: Number(usageRows),
    rollups: Number(rollups),
    waitingRows: Number(waitingRows),
    daysArchived: Number(daysArchived),
    differences: differences.map((difference) => ({ ...difference, startsAt: new Date(difference.startsAt) })),
  };
};
