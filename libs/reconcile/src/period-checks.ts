/**
 * I7: things happened when they say they did. Ids carry the moment at which they were minted; what one transaction writes has one moment; and
 * what comes after something is not earlier than it. So nothing is moved to another month without a finding. Pure.
 */
import type { Check } from './reconcile.js';

const minted = (id: string): string => `to_timestamp(('x' || left(replace(${id}::text, '-', ''), 12))::bit(48)::bigint / 1000.0)`;

export const periodChecks: readonly Check[] = [
  {
    name: 'usage-period', invariant: 'I7',
    says: 'a row was admitted within an hour of the moment in its id, and settled within a day of it',
    subjects: 'usage rows',
    expected: 'by its id',
    found: 'admitted; finished; settled',
    advice: 'The row was moved to another period, which makes its invoice wrong, or its gateway’s clock is far off (see clock_offset_ms). Compare it with a backup.',
    sql: (s) => `
      SELECT u.organization_id, jsonb_build_object('usage', u.id, 'attempt', u.attempt, 'session', u.session_id) AS place, m.minted::text AS expected, format('%s; %s; %s', u.admitted_at, u.finished_at, u.settled_at) AS found,
        u.admitted_at NOT BETWEEN m.minted - interval '1 hour' AND m.minted + interval '1 hour' OR u.settled_at NOT BETWEEN m.minted - interval '1 hour' AND m.minted + interval '1 day'
          OR u.finished_at < u.admitted_at - interval '1 s' OR u.finished_at > u.settled_at + interval '1 hour' AS is_wrong
      FROM usage u CROSS JOIN LATERAL (SELECT ${minted('u.id')} AS minted) m WHERE true${s.usage('u')}`,
  },
  {
    name: 'flush-period', invariant: 'I7',
    says: 'the rows of a flush were settled at one moment, after those of the flush before and after their session began',
    subjects: 'flushes',
    expected: 'one moment, not before',
    found: 'first; last',
    advice: 'Rows of this flush were moved to another period. Compare them with a backup.',
    sql: (s) => `
      WITH flush AS (
        SELECT u.session_id, u.flush, min(u.settled_at) AS first, max(u.settled_at) AS last, min(u.id::text) AS usage FROM usage u WHERE u.flush >= 0${s.usage('u')} GROUP BY 1, 2),
      ordered AS (SELECT f.*, lag(f.last) OVER (PARTITION BY f.session_id ORDER BY f.flush) AS before FROM flush f)
      SELECT NULL::uuid AS organization_id, jsonb_build_object('session', f.session_id, 'flush', f.flush, 'usage', f.usage) AS place, greatest(f.before, n.started_at)::text AS expected, format('%s; %s', f.first, f.last) AS found,
        f.first <> f.last OR f.first < f.before OR f.first < n.started_at OR n.id IS NULL AS is_wrong
      FROM ordered f LEFT JOIN session n ON n.id = f.session_id`,
  },
  {
    name: 'rating-period', invariant: 'I7',
    says: 'a rating was posted at one moment, after its rows were settled and after the ratings before it',
    subjects: 'ratings of account trees',
    expected: 'one moment, not before its rows and the rating before',
    found: 'rated; posted',
    advice: 'The rating or its transactions were moved to another period, which makes its invoice wrong. Compare both with a backup.',
    // A rating's moment is that of its beginning; it then waits for others and claims rows that settle meanwhile.
    sql: (s) => `
      WITH batch AS (
        SELECT b.*, lag(b.rated_at) OVER (PARTITION BY b.account_root_id ORDER BY b.rating_seq) AS before FROM rated_batch b
        WHERE true${s.organization("(SELECT o.id FROM organization o WHERE o.id = b.account_root_id)")}${s.ratings('b.rated_at')}),
      settled AS (SELECT f.rating_id, max(u.settled_at) AS last FROM rated_flush f JOIN usage u ON u.session_id = f.session_id AND u.flush = f.flush AND u.shard = f.shard WHERE true${s.organization('u.organization_id')}${s.ratedIds('u.id')} GROUP BY 1),
      posted AS (SELECT t.source_id, min(t.posted_at) AS first, max(t.posted_at) AS last FROM ledger_transaction t WHERE t.kind = 'usage_rated'${s.organization('t.organization_id')} GROUP BY 1)
      SELECT NULL::uuid AS organization_id, jsonb_build_object('rating', b.rating_id, 'account_root', b.account_root_id, 'rating_seq', b.rating_seq) AS place, greatest(b.before, u.last)::text AS expected,
        format('%s; %s to %s', b.rated_at, p.first, p.last) AS found, b.rated_at < b.before - interval '1 minute' OR b.rated_at < u.last - interval '1 minute' OR p.first <> b.rated_at OR p.last <> b.rated_at AS is_wrong
      FROM batch b LEFT JOIN settled u ON u.rating_id = b.rating_id LEFT JOIN posted p ON p.source_id = b.rating_id::text`,
  },
  {
    name: 'ledger-period', invariant: 'I7',
    says: 'transactions were posted in the order of their chain, and at the moment in their id unless a test or demo shifted the clock',
    subjects: 'transactions',
    expected: 'not before the one before; the moment in its id',
    found: 'posted',
    advice: 'The transaction was moved to another period. Compare it with a backup.',
    // A transaction's moment is that of its beginning; it may then wait for the chain's head. A shifted clock is a test's or a demo's.
    sql: (s) => `
      WITH ordered AS (SELECT t.*, lag(t.posted_at) OVER (PARTITION BY t.organization_id ORDER BY t.position) AS before FROM ledger_transaction t WHERE true${s.organization('t.organization_id')})
      SELECT t.organization_id, jsonb_build_object('transaction', t.id, 'kind', t.kind, 'source', t.source_id) AS place, format('%s; %s', t.before, m.minted) AS expected, t.posted_at::text AS found,
        t.posted_at < t.before - interval '10 minutes' OR (k.kind = 'production' AND t.posted_at NOT BETWEEN m.minted - interval '1 hour' AND m.minted + interval '10 minutes') AS is_wrong
      FROM ordered t CROSS JOIN database_mark k CROSS JOIN LATERAL (SELECT ${minted('t.id')} AS minted) m WHERE true${s.times('t.posted_at')}`,
  },
  {
    name: 'lease-period', invariant: 'I2',
    says: 'a lease opened while its session lived, and closed after its opening and before the reaping of its session',
    subjects: 'leases',
    expected: 'within its session: start; end',
    found: 'opened; closed',
    advice: 'The lease was moved to another session or time. Compare it with a backup.',
    sql: (s) => `
      SELECT l.organization_id, jsonb_build_object('lease', l.id, 'grant', l.grant_id, 'session', l.session_id) AS place, format('%s; %s', coalesce(n.started_at::text, 'no session'), coalesce(n.reaped_at::text, 'lives')) AS expected,
        format('%s; %s', l.opened_at, coalesce(l.closed_at::text, 'open')) AS found,
        n.id IS NULL OR l.opened_at < n.started_at OR l.opened_at > n.reaped_at OR l.closed_at < l.opened_at OR l.closed_at > n.reaped_at
          OR ${minted('l.first_usage_id')} NOT BETWEEN l.opened_at - interval '1 day' AND l.opened_at + interval '1 hour' AS is_wrong
      FROM lease l LEFT JOIN session n ON n.id = l.session_id WHERE true${s.leases('l')}`,
  },
];
