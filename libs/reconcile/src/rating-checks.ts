/** I1, I5 and I7 on what was rated and posted: each row once, in an order without gaps, and the ledger says the same. Pure. */
import { exact, numeric } from './arithmetic.js';
import type { Check } from './reconcile.js';
import type { ScopeSql } from './scope.js';

/** The account roots that are looked at. */
const ofRoots = (s: ScopeSql, column: string): string =>
  s.organization('o.id') === '' ? '' : ` AND ${column} = (SELECT o.account_root_id FROM organization o WHERE true${s.organization('o.id')})`;

/** The ratings of the period: those that say so, and those that a ledger transaction claims to be of. */
const RATING = (s: ScopeSql): string => `
  rating AS (
    SELECT b.rating_id FROM rated_batch b WHERE true${s.ratings('b.rated_at')}
    UNION
    SELECT t.source_id::uuid FROM ledger_transaction t WHERE t.kind = 'usage_rated' AND pg_input_is_valid(t.source_id, 'uuid')${s.ratings('t.posted_at')}${s.organization('t.organization_id')})`;

const RATED_USAGE = (s: ScopeSql): string => `usage u
    JOIN rated_flush f ON f.session_id = u.session_id AND f.flush = u.flush AND f.shard = u.shard
    JOIN rating r ON r.rating_id = f.rating_id WHERE true${s.ratedIds('u.id')}`;

export const ratingChecks: readonly Check[] = [
  {
    name: 'usage-rated-once',
    invariant: 'I5',
    says: 'a usage row waits to be rated or was rated, once',
    subjects: 'usage rows',
    expected: 'waiting or rated, once',
    found: 'how often each',
    advice: 'Nobody posts a row that is neither: queue its flush again (unrated_batch). A row that is both would be posted twice: delete its flush from unrated_batch.',
    sql: (s) => `
      WITH waiting AS (
        SELECT k.organization_id, k.id, k.attempt, count(*) AS times FROM unrated_batch b
        CROSS JOIN LATERAL unnest(b.organization_ids, b.usage_ids, b.attempts) AS k (organization_id, id, attempt) GROUP BY 1, 2, 3)
      SELECT u.organization_id, jsonb_build_object('usage', u.id, 'attempt', u.attempt, 'session', u.session_id, 'flush', u.flush, 'shard', u.shard) AS place,
        'once' AS expected, format('waiting %s times, rated %s times', coalesce(w.times, 0), (f.rating_id IS NOT NULL)::int) AS found,
        coalesce(w.times, 0) + (f.rating_id IS NOT NULL)::int <> 1 AS is_wrong
      FROM usage u
      LEFT JOIN rated_flush f ON f.session_id = u.session_id AND f.flush = u.flush AND f.shard = u.shard
      LEFT JOIN waiting w ON w.organization_id = u.organization_id AND w.id = u.id AND w.attempt = u.attempt
      WHERE true${s.usage('u')}`,
  },
  {
    name: 'unrated-exists',
    invariant: 'I5',
    says: 'each row that waits to be rated exists',
    subjects: 'rows in unrated flushes',
    expected: 'a usage row of this session and flush',
    found: 'what there is',
    advice: 'The row was deleted before its rating. Restore it from a backup, or its charge is lost.',
    sql: (s) => `
      SELECT k.organization_id, jsonb_build_object('usage', k.id, 'attempt', k.attempt, 'session', b.session_id, 'flush', b.flush, 'shard', b.shard) AS place,
        'one' AS expected, 'none' AS found, u.id IS NULL AS is_wrong
      FROM unrated_batch b CROSS JOIN LATERAL unnest(b.organization_ids, b.usage_ids, b.attempts) AS k (organization_id, id, attempt)
      LEFT JOIN usage u ON u.organization_id = k.organization_id AND u.id = k.id AND u.attempt = k.attempt AND u.session_id = b.session_id AND u.flush = b.flush AND u.shard = b.shard
      WHERE true${s.organization('k.organization_id')}${s.ids('k.id')}`,
  },
  {
    name: 'rating-sequence',
    invariant: 'I7',
    says: "an account tree's ratings are numbered from 1 without gaps, up to its position",
    subjects: 'account trees',
    expected: 'numbers 1 to its position',
    found: 'numbers',
    advice: 'A rating was lost, so the order of its rows is unknown and they cannot be rated again. Restore the row of rated_batch from a backup.',
    sql: (s) => `
      WITH batch AS (SELECT b.account_root_id, count(*) AS numbers, min(b.rating_seq) AS first, max(b.rating_seq) AS last FROM rated_batch b WHERE true${ofRoots(s, 'b.account_root_id')} GROUP BY 1),
      position AS (SELECT p.account_root_id, p.rating_seq FROM rating_position p WHERE true${ofRoots(s, 'p.account_root_id')})
      SELECT NULL::uuid AS organization_id, jsonb_build_object('account_root', account_root_id) AS place, '1 to ' || coalesce(p.rating_seq, 0) AS expected,
        format('%s numbers, %s to %s', coalesce(b.numbers, 0), coalesce(b.first, 0), coalesce(b.last, 0)) AS found,
        b.numbers IS DISTINCT FROM p.rating_seq OR b.last IS DISTINCT FROM p.rating_seq OR b.first IS DISTINCT FROM 1 AS is_wrong
      FROM batch b FULL JOIN position p USING (account_root_id)`,
  },
  {
    name: 'rating-rows',
    invariant: 'I7',
    says: "a rating has as many rows of its account tree as it took",
    subjects: 'ratings of account trees',
    expected: 'rows taken',
    found: 'rows present',
    advice: 'Usage rows were deleted, added or moved after their rating. Compare the flushes of this rating (rated_flush) with a backup.',
    sql: (s) => `
      WITH ${RATING(s)},
      batch AS (SELECT b.account_root_id, b.rating_id, b.rating_seq, b.rows FROM rated_batch b JOIN rating USING (rating_id) WHERE true${ofRoots(s, 'b.account_root_id')}),
      present AS (SELECT u.account_root_id, f.rating_id, count(*) AS rows FROM ${RATED_USAGE(s)}${ofRoots(s, 'u.account_root_id')} GROUP BY 1, 2)
      SELECT NULL::uuid AS organization_id, jsonb_build_object('account_root', account_root_id, 'rating', rating_id, 'rating_seq', b.rating_seq) AS place,
        coalesce(b.rows, 0)::text AS expected, coalesce(p.rows, 0)::text AS found, coalesce(b.rows, 0) <> coalesce(p.rows, 0) AS is_wrong
      FROM batch b FULL JOIN present p USING (account_root_id, rating_id)`,
  },
  {
    name: 'rating-posted',
    invariant: 'I7',
    says: "a rating's posting for an organization's usage is the sum of its usage rows",
    subjects: 'postings of ratings',
    expected: 'the sum of its usage rows',
    found: 'the posting',
    advice: 'Usage rows or postings were changed, deleted or doubled. Find out which with a backup, and correct the ledger with a transaction that reverses the difference; never change a posting.',
    sql: (s) => `
      WITH ${RATING(s)},
      rated_row AS (SELECT u.*, f.rating_id FROM ${RATED_USAGE(s)}${s.organization('u.organization_id')}),
      total AS (
        SELECT organization_id, rating_id, unit, cost_currency, sum(charge) AS charge, sum(rated) AS rated, sum(cost) AS cost FROM (
          SELECT organization_id, rating_id, unit, cost_currency, charge, rated, cost FROM rated_row
          UNION ALL
          SELECT k.organization_id, k.rating_id, p ->> 'unit', k.cost_currency, ${numeric("p ->> 'charge'")}, ${numeric("p ->> 'rated'")}, 0
          FROM rated_row k CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(k.portions) WHEN 'array' THEN k.portions END) p WHERE p ->> 'unit' <> k.unit) a GROUP BY 1, 2, 3, 4),
      due AS (
        SELECT t.organization_id, t.rating_id::text AS source_id, x.account, x.unit, sum(x.amount) AS amount FROM total t CROSS JOIN LATERAL (VALUES
          ('grant_liability', t.unit, t.charge), ('uncollected', t.unit, t.rated - t.charge), ('usage_revenue', t.unit, -t.rated),
          ('vendor_cost', t.cost_currency, t.cost), ('vendor_payable', t.cost_currency, -t.cost)) AS x (account, unit, amount) GROUP BY 1, 2, 3, 4),
      posted AS (
        SELECT p.organization_id, t.source_id, p.account, p.unit, sum(p.amount) AS amount
        FROM ledger_transaction t JOIN ledger_posting p ON p.organization_id = t.organization_id AND p.transaction_id = t.id
        WHERE t.kind = 'usage_rated'${s.ratings('t.posted_at')}${s.organization('t.organization_id')} GROUP BY 1, 2, 3, 4)
      SELECT organization_id, jsonb_build_object('rating', source_id, 'account', account, 'unit', unit) AS place,
        ${exact('coalesce(d.amount, 0)')} AS expected, ${exact('coalesce(p.amount, 0)')} AS found, coalesce(d.amount, 0) <> coalesce(p.amount, 0) AS is_wrong
      FROM due d FULL JOIN posted p USING (organization_id, source_id, account, unit)`,
  },
];
