/**
 * I5: usage rows are only inserted, and requests do not vanish. Each row was sealed in the transaction that wrote it, so whatever was changed,
 * deleted or forged since is named, whether or not money shows it. Pure.
 */
import type { Check } from './reconcile.js';
import type { ScopeSql } from './scope.js';

/** Every column of usage, as `usage_seal_put` takes them. */
export const sealedColumns = [
  'organization_id', 'id', 'attempt', 'session_id', 'flush', 'shard', 'account_root_id', 'project_id', 'api_key_id', 'end_user', 'tags', 'operation', 'mode', 'stream', 'model', 'tier_asked',
  'tier_served', 'outcome', 'status', 'error_code', 'finish_reason', 'lane_id', 'upstream_model', 'upstream_id', 'upstream_status', 'counts', 'estimated', 'context_tokens', 'max_tokens',
  'price_version_id', 'unit', 'hold', 'rated', 'charge', 'allocations', 'portions', 'cost', 'cost_currency', 'clock_offset_ms', 'admitted_at', 'dispatched_at', 'first_token_at', 'finished_at', 'settled_at',
] as const;

const listColumns = (expression: (column: string) => string): string => sealedColumns.map(expression).join(', ');

/** An empty object, an empty array and, without a seed, null have one hash. */
const typesOf = (row: string): string => ['tags', 'counts', 'allocations', 'portions'].map((column) => `jsonb_typeof(${row}.${column})`).join(', ');

/** The digest of a row by the version of its seal; null for a version that this release does not know. */
const digestOf = (row: string, version: string): string => {
  const texts = listColumns((column) => (column.endsWith('_at') ? `extract(epoch FROM ${row}.${column})` : `${row}.${column}`));
  return `CASE ${version}
    WHEN 1 THEN substring(sha256(convert_to((ROW(${texts}))::text, 'UTF8')) FROM 1 FOR 8)
    WHEN 2 THEN int8send(hash_record_extended(ROW(${listColumns((column) => `${row}.${column}`)}, ${typesOf(row)}), 1)) END`;
};

/** From when on rows are sealed. Flushes that were under way when sealing began may follow the first seal unsealed. */
const HORIZON = `(SELECT coalesce((SELECT x.sealed_from FROM usage_seal_horizon x), (SELECT e.sealed_at + interval '1 minute' FROM usage_seal e ORDER BY e.id LIMIT 1)) AS sealed_from)`;

/** Ids of ranges that have left the database. */
const isGone = (column: string): string => `EXISTS (SELECT FROM usage_archive x WHERE x.detached_at IS NOT NULL AND ${column} >= x.first_id AND ${column} < x.until_id)`;

const SEAL = (s: ScopeSql): string => `
  seal AS (
    SELECT k.organization_id, k.id, k.attempt, e.session_id, e.flush, e.version, min(k.digest) AS digest, count(*) AS times, max(k.digest) AS other_digest
    FROM usage_seal e CROSS JOIN LATERAL unnest(e.organization_ids, e.usage_ids, e.attempts, e.digests) AS k (organization_id, id, attempt, digest)
    WHERE true${s.organization('k.organization_id')}${s.ids('k.id')} GROUP BY 1, 2, 3, 4, 5, 6)`;

/** Seals against rows of `table`, which are all of the scope's but those of ranges that `isMissed` leaves out. */
const sealedSql = (s: ScopeSql, table: string, isMissed: string): string => `
      WITH ${SEAL(s)}, compared AS (
        SELECT u.id AS row_id, e.id AS seal_id, coalesce(u.organization_id, e.organization_id) AS organization_id, coalesce(u.id, e.id) AS id, coalesce(u.attempt, e.attempt) AS attempt,
          coalesce(u.session_id, e.session_id) AS session_id, coalesce(u.flush, e.flush) AS flush, u.settled_at, e.digest AS sealed, e.times, e.other_digest,
          CASE WHEN u.id IS NOT NULL THEN ${digestOf('u', 'e.version')} END AS found
        FROM (SELECT u.* FROM ${table} u WHERE true${s.usage('u')}) u
        FULL JOIN seal e ON e.organization_id = u.organization_id AND e.id = u.id AND e.attempt = u.attempt)
      SELECT e.organization_id, jsonb_build_object('usage', e.id, 'attempt', e.attempt, 'session', e.session_id, 'flush', e.flush) AS place, coalesce(encode(e.sealed, 'hex'), 'none') AS expected,
        CASE WHEN e.row_id IS NULL THEN 'none' WHEN e.seal_id IS NULL THEN 'one that was never sealed' ELSE encode(e.found, 'hex') END AS found,
        CASE WHEN e.row_id IS NULL THEN ${isMissed} WHEN e.seal_id IS NULL THEN e.settled_at >= h.sealed_from
          ELSE e.found <> e.sealed OR e.times <> 1 OR e.other_digest <> e.sealed END AS is_wrong
      FROM compared e CROSS JOIN ${HORIZON} h`;

const vanishedSql = (s: ScopeSql, table: string, isMissed: string): string => `
      SELECT q.organization_id, jsonb_build_object('request', q.id, 'session', q.session_id, 'opened', q.opened_at) AS place, 'one' AS expected, 'none' AS found,
        NOT EXISTS (SELECT FROM open_request o WHERE o.organization_id = q.organization_id AND o.id = q.id) AND NOT EXISTS (SELECT FROM ${table} u WHERE u.organization_id = q.organization_id AND u.id = q.id)
          AND NOT EXISTS (SELECT FROM usage_quarantine x WHERE x.organization_id = q.organization_id AND x.id = q.id AND (x.reason LIKE 'settle:%' OR x.reason LIKE 'reap:%')) AND ${isMissed} AS is_wrong
      FROM opened_request q WHERE true${s.organization('q.organization_id')}${s.ids('q.id')}`;

/** The same for the table of a partition that was taken off; the scope is its range. */
export const detachedSealsSql = (s: ScopeSql, table: string): readonly string[] => [sealedSql(s, table, 'true'), vanishedSql(s, table, 'true')];

export const sealChecks: readonly Check[] = [
  {
    name: 'usage-sealed', invariant: 'I5',
    says: 'each usage row is as it was written, to the last column, and no row was added',
    subjects: 'usage rows',
    expected: 'the row as sealed',
    found: 'the row as it is',
    advice: 'Somebody changed, deleted or forged this row, which is evidence. Compare it with a backup and with the logs, and correct the money with an adjustment.',
    sql: (s) => sealedSql(s, 'usage', `NOT ${isGone('e.id')}`),
  },
  {
    name: 'seal-horizon', invariant: 'I5',
    says: 'usage is sealed from its start, or from the first seal on',
    subjects: 'marks',
    expected: 'a mark',
    found: 'the mark; rows older than the first seal',
    advice: 'Without the mark, unsealed rows would pass for rows of an earlier release. Restore it from a backup.',
    wholeDatabaseOnly: true,
    sql: () => `
      SELECT NULL::uuid AS organization_id, jsonb_build_object('table', 'usage_seal_horizon') AS place, 'one' AS expected, concat_ws('; ', count(h.only_row), max(h.sealed_from)) AS found,
        -- A mark that was lifted though no row is older than the first seal: there was usage only since.
        count(h.only_row) <> 1 OR max(h.sealed_from) > (SELECT e.sealed_at + interval '1 minute' FROM usage_seal e ORDER BY e.id LIMIT 1) OR (max(h.sealed_from) IS NULL AND NOT EXISTS (SELECT FROM usage_archive) AND NOT EXISTS (
          SELECT FROM usage u WHERE u.settled_at < (SELECT e.sealed_at + interval '1 minute' FROM usage_seal e ORDER BY e.id LIMIT 1)
            AND NOT EXISTS (SELECT FROM usage_seal e WHERE e.session_id = u.session_id AND e.flush = u.flush))) AS is_wrong
      FROM usage_seal_horizon h`,
  },
  {
    name: 'request-vanished', invariant: 'I4',
    says: 'each request that was opened is open, settled, or in quarantine',
    subjects: 'opened requests',
    expected: 'an open request, a usage row, or one in quarantine',
    found: 'what there is',
    advice: 'Its answer may have been delivered unbilled. Look for it in the gateway’s log and the vendor’s, and bill it by hand if the customer owes it.',
    sql: (s) => vanishedSql(s, 'usage', `NOT ${isGone('q.id')}`),
  },
  {
    name: 'request-remembered', invariant: 'I4',
    says: 'each open request was recorded at its opening, for its session',
    subjects: 'open requests',
    expected: 'the session that opened it',
    found: 'the session that has it',
    advice: 'The open request was forged or changed. Read its gateway’s log before its settlement is billed.',
    sql: (s) => `
      SELECT o.organization_id, jsonb_build_object('request', o.id, 'session', o.session_id) AS place, coalesce(q.session_id::text, 'none') AS expected, o.session_id::text AS found,
        q.session_id IS DISTINCT FROM o.session_id AS is_wrong
      FROM open_request o LEFT JOIN opened_request q ON q.organization_id = o.organization_id AND q.id = o.id WHERE true${s.organization('o.organization_id')}`,
  },
];
