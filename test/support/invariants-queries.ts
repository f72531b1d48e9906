import { portionsOfUsage, ratedAgain } from '../../libs/reconcile/src/arithmetic.js';

/**
 * The invariants as queries that answer one row for each violation, with the numbers to act on it. None calls a function of the
 * schema or of the code that it checks, so a mistake there cannot hide itself. Charges are computed by the arithmetic of `reconcile`, which
 * its spec holds against `libs/money`.
 */

export interface InvariantQuery {
  name: string;
  says: string;
  /** Answers `violation text`, one row each. */
  sql: string;
}

/** Every share of a grant that usage has taken, one row each. */
const ALLOCATIONS = `
  allocation AS (
    SELECT u.organization_id, u.id, u.attempt, u.session_id, coalesce(a ->> 'unit', u.unit) AS unit,
      (a ->> 'grant')::uuid AS grant_id, (a ->> 'lease')::uuid AS lease_id, (a ->> 'amount')::numeric AS amount
    FROM usage u CROSS JOIN LATERAL jsonb_array_elements(u.allocations) a)`;

/** Every usage row in each unit that pays it, rated again. */
const BY_UNIT = `
  by_unit AS (
    SELECT u.organization_id, u.id, u.attempt, u.outcome, u.counts, m.unit, sum(m.hold) AS hold, sum(m.rated) AS rated, sum(m.charge) AS charge, sum(r.rated) AS again,
      string_agg(r.unpriced, ', ') AS unpriced
    FROM usage u ${portionsOfUsage} ${ratedAgain} GROUP BY 1, 2, 3, 4, 5, 6)`;

/** Attempts that a request's price is computed for; others are rows of their own with nothing to pay. */
const RATED_ROWS = `
  rated_row AS (
    SELECT u.* FROM usage u JOIN rated_flush f ON f.session_id = u.session_id AND f.flush = u.flush AND f.shard = u.shard)`;

const grants: InvariantQuery[] = [
  {
    name: 'I2',
    says: 'a grant: granted + adjusted − refunded − expired − rolled over − transferred − consumed = available + leased, by what usage has taken',
    sql: `WITH ${ALLOCATIONS},
      taken AS (SELECT organization_id, grant_id, sum(amount) AS amount FROM allocation GROUP BY 1, 2),
      open_taken AS (
        SELECT l.organization_id, l.grant_id, sum(a.amount) AS amount FROM lease l
        JOIN allocation a ON a.organization_id = l.organization_id AND a.lease_id = l.id WHERE l.closed_at IS NULL GROUP BY 1, 2)
      SELECT format('grant %s: %s remains by usage, %s available + %s leased − %s spent of it', g.id,
        g.granted + g.adjusted - g.refunded - g.expired - g.rolled_over - g.transferred - coalesce(t.amount, 0), g.available, g.leased, coalesce(o.amount, 0)) AS violation
      FROM credit_grant g LEFT JOIN taken t ON t.organization_id = g.organization_id AND t.grant_id = g.id
      LEFT JOIN open_taken o ON o.organization_id = g.organization_id AND o.grant_id = g.id
      WHERE g.granted + g.adjusted - g.refunded - g.expired - g.rolled_over - g.transferred - coalesce(t.amount, 0)
        <> g.available + g.leased - coalesce(o.amount, 0)`,
  },
  {
    name: 'I2',
    says: "a grant's columns are the sums of its leases",
    sql: `SELECT format('grant %s: leased %s, open slices %s; settled %s, closed leases settled %s', g.id, g.leased, l.open, g.settled, l.closed) AS violation
      FROM credit_grant g CROSS JOIN LATERAL (
        SELECT coalesce(sum(slice) FILTER (WHERE closed_at IS NULL), 0) AS open, coalesce(sum(settled) FILTER (WHERE closed_at IS NOT NULL), 0) AS closed
        FROM lease WHERE organization_id = g.organization_id AND grant_id = g.id) l
      WHERE g.leased <> l.open OR g.settled <> l.closed`,
  },
  {
    name: 'I2',
    says: 'a closed lease settled what usage took of it, and no lease is spent beyond its slice',
    sql: `WITH ${ALLOCATIONS}
      SELECT format('lease %s of grant %s (%s): slice %s, settled %s, taken by usage %s', l.id, l.grant_id,
        CASE WHEN l.closed_at IS NULL THEN 'open' ELSE 'closed' END, l.slice, l.settled, coalesce(sum(a.amount), 0)) AS violation
      FROM lease l LEFT JOIN allocation a ON a.organization_id = l.organization_id AND a.lease_id = l.id
      GROUP BY l.organization_id, l.id
      HAVING CASE WHEN l.closed_at IS NULL THEN coalesce(sum(a.amount), 0) > l.slice ELSE coalesce(sum(a.amount), 0) <> l.settled END`,
  },
  {
    name: 'I2',
    says: 'an allocation names a lease of its own organization, session and grant, in the unit of the grant',
    sql: `WITH ${ALLOCATIONS}
      SELECT format('usage %s/%s: allocation of %s from lease %s, grant %s', a.id, a.attempt, a.amount, a.lease_id, a.grant_id) AS violation
      FROM allocation a
      LEFT JOIN lease l ON l.organization_id = a.organization_id AND l.id = a.lease_id AND l.session_id = a.session_id AND l.grant_id = a.grant_id
      LEFT JOIN credit_grant g ON g.organization_id = a.organization_id AND g.id = a.grant_id AND g.unit = a.unit
      WHERE l.id IS NULL OR g.id IS NULL OR a.amount < 0 OR a.id < l.first_usage_id`,
  },
  {
    name: 'I3',
    says: 'no grant is below its floor, and the database refuses one that would be',
    sql: `SELECT format('grant %s: available %s, leased %s', id, available, leased) AS violation FROM credit_grant WHERE available < 0 OR leased < 0
      UNION ALL
      SELECT format('the constraint %s is not in force', name) FROM unnest(ARRAY['never_below_the_floor', 'conserved']) AS name
      WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = 'credit_grant'::regclass AND conname = name AND convalidated AND conenforced)`,
  },
  {
    name: 'I2',
    says: "a grant's refunded, transferred and adjusted are the sums of its refunds, transfers and adjustments",
    sql: `SELECT format('grant %s: refunded %s of %s, transferred %s of %s, adjusted %s of %s', g.id, g.refunded, r.amount, g.transferred, t.amount, g.adjusted, a.amount) AS violation
      FROM credit_grant g
      CROSS JOIN LATERAL (SELECT coalesce(sum(amount), 0) AS amount FROM grant_refund WHERE organization_id = g.organization_id AND grant_id = g.id) r
      CROSS JOIN LATERAL (SELECT coalesce(sum(amount), 0) AS amount FROM grant_transfer WHERE organization_id = g.organization_id AND grant_id = g.id) t
      CROSS JOIN LATERAL (SELECT coalesce(sum(amount), 0) AS amount FROM grant_adjustment WHERE organization_id = g.organization_id AND grant_id = g.id) a
      WHERE (g.refunded, g.transferred, g.adjusted) IS DISTINCT FROM (r.amount, t.amount, a.amount)`,
  },
  {
    name: 'I1',
    says: 'transfers between organizations cancel out in the clearing account',
    sql: `SELECT format('%s %s are on their way', sum(amount), unit) AS violation FROM ledger_posting WHERE account = 'transfer_clearing' GROUP BY unit HAVING sum(amount) <> 0`,
  },
];

const usageRows: InvariantQuery[] = [
  {
    name: 'I5',
    says: 'at most one attempt of a request carries a charge',
    sql: `SELECT format('request %s: %s attempts are charged', u.id, count(DISTINCT u.attempt)) AS violation FROM usage u ${portionsOfUsage} WHERE m.charge > 0 GROUP BY u.organization_id, u.id HAVING count(DISTINCT u.attempt) > 1
      UNION ALL
      SELECT format('request %s exists in %s organizations', id, count(DISTINCT organization_id)) FROM usage GROUP BY id HAVING count(DISTINCT organization_id) > 1`,
  },
  {
    name: 'I5',
    says: 'each usage row waits to be rated or was rated, and not both',
    sql: `WITH waiting AS (
        SELECT b.session_id, b.flush, b.shard, k.* FROM unrated_batch b
        CROSS JOIN LATERAL unnest(b.organization_ids, b.usage_ids, b.attempts) AS k(organization_id, id, attempt)),
      seen AS (
        SELECT u.id, u.attempt, u.session_id, u.flush,
          (SELECT count(*) FROM waiting w WHERE w.organization_id = u.organization_id AND w.id = u.id AND w.attempt = u.attempt) AS waiting,
          (SELECT count(*) FROM rated_flush f WHERE f.session_id = u.session_id AND f.flush = u.flush AND f.shard = u.shard) AS rated
        FROM usage u)
      SELECT format('usage %s/%s of session %s, flush %s: waiting %s times, rated %s times', id, attempt, session_id, flush, waiting, rated) AS violation
      FROM seen WHERE waiting + rated <> 1
      UNION ALL
      SELECT format('unrated usage %s/%s has no row', w.id, w.attempt) FROM waiting w
      WHERE NOT EXISTS (SELECT FROM usage u WHERE u.organization_id = w.organization_id AND u.id = w.id AND u.attempt = w.attempt)`,
  },
  {
    name: 'I5',
    says: "an account tree's rated batches are numbered without gaps and hold as many rows as were rated",
    sql: `WITH ${RATED_ROWS},
      root AS (SELECT account_root_id, count(*) AS rows FROM rated_row GROUP BY 1),
      batch AS (SELECT account_root_id, sum(rows) AS rows, count(*) AS batches, max(rating_seq) AS last FROM rated_batch GROUP BY 1)
      SELECT format('account tree %s: %s rows rated, %s in its batches, %s batches, last number %s', account_root_id, r.rows, b.rows, b.batches, b.last) AS violation
      FROM root r FULL JOIN batch b USING (account_root_id)
      WHERE r.rows IS DISTINCT FROM b.rows OR b.batches IS DISTINCT FROM b.last`,
  },
  {
    name: 'I6',
    says: 'nobody pays more than was held, and allocations sum to the charge, in each unit',
    sql: `WITH ${ALLOCATIONS},
      taken AS (SELECT organization_id, id, attempt, unit, sum(amount) AS amount FROM allocation GROUP BY 1, 2, 3, 4),
      ${BY_UNIT}
      SELECT format('usage %s/%s: hold %s, rated %s, charge %s %s, allocated %s', id, attempt, u.hold, u.rated, u.charge, unit, coalesce(t.amount, 0)) AS violation
      FROM by_unit u FULL JOIN taken t USING (organization_id, id, attempt, unit)
      WHERE coalesce(u.charge, 0) <> coalesce(t.amount, 0) OR u.charge > u.hold OR u.charge < 0`,
  },
  {
    name: 'I7',
    says: 'rating again from counts and the pinned price gives the same amounts to the last digit',
    sql: `WITH ${BY_UNIT}
      SELECT format('usage %s/%s (%s): counts %s make %s %s; rated %s, hold %s, charge %s', u.id, u.attempt, u.outcome, u.counts,
        trim_scale(u.again), u.unit, u.rated, u.hold, u.charge) AS violation
      FROM by_unit u
      -- Usage that was rated wrongly is not changed: its differences are rows of their own.
      LEFT JOIN (SELECT organization_id, usage_id AS id, attempt, unit, sum(rated) AS rated FROM rating_adjustment GROUP BY 1, 2, 3, 4) a
        ON a.organization_id = u.organization_id AND a.id = u.id AND a.attempt = u.attempt AND coalesce(a.unit, u.unit) = u.unit
      WHERE u.unpriced IS NOT NULL OR u.charge <> least(u.rated, u.hold)
        -- An attempt that is not the one to pay for is rated at nothing, whatever its vendor counted.
        OR (u.rated + coalesce(a.rated, 0) <> u.again AND NOT (u.rated = 0 AND u.outcome <> 'completed'))`,
  },
  {
    name: 'I8',
    says: "a usage row's project and key are its organization's, and its price is in the organization's book",
    sql: `SELECT format('usage %s/%s: organization %s, project %s, key %s, price %s', u.id, u.attempt, u.organization_id, u.project_id, u.api_key_id, u.price_version_id) AS violation
      FROM usage u
      LEFT JOIN organization o ON o.id = u.organization_id AND o.account_root_id = u.account_root_id
      LEFT JOIN api_key k ON k.organization_id = u.organization_id AND k.id = u.api_key_id AND k.project_id = u.project_id
      LEFT JOIN price_version v ON v.id = u.price_version_id AND v.model_id = u.model AND v.price_book_id = o.price_book_id AND v.currency = u.unit
      WHERE o.id IS NULL OR k.id IS NULL OR v.id IS NULL`,
  },
  {
    name: 'counts',
    says: 'counts are whole numbers from 0 to 2⁵³−1',
    sql: `SELECT format('usage %s/%s: %s is %s', u.id, u.attempt, c.key, c.value) AS violation FROM usage u CROSS JOIN LATERAL jsonb_each(u.counts) c
      WHERE jsonb_typeof(c.value) <> 'number' OR (c.value #>> '{}')::numeric NOT BETWEEN 0 AND 9007199254740991 OR (c.value #>> '{}')::numeric % 1 <> 0`,
  },
  {
    name: 'quarantine',
    says: 'nothing was put into quarantine',
    sql: `SELECT format('usage %s/%s was quarantined: %s: %s', id, attempt, reason, left(encode(raw, 'escape'), 400)) AS violation FROM usage_quarantine`,
  },
];

const ledger: InvariantQuery[] = [
  {
    name: 'I1',
    says: 'every ledger transaction sums to zero in each unit',
    sql: `SELECT format('transaction %s (%s %s): %s %s too much', t.id, t.kind, t.source_id, sum(p.amount), p.unit) AS violation
      FROM ledger_transaction t JOIN ledger_posting p ON p.organization_id = t.organization_id AND p.transaction_id = t.id
      GROUP BY t.organization_id, t.id, p.unit HAVING sum(p.amount) <> 0
      UNION ALL
      SELECT format('transaction %s (%s %s) has no posting', t.id, t.kind, t.source_id) FROM ledger_transaction t
      WHERE NOT EXISTS (SELECT FROM ledger_posting p WHERE p.organization_id = t.organization_id AND p.transaction_id = t.id)`,
  },
  {
    name: 'I1',
    says: 'ledger and usage rows are only inserted',
    // Only the counters since the last crash of Postgres: it forgets them then. What two executions of one flush insert at the
    // same moment is counted as inserted twice and deleted once; a usage row that is really gone is missed by I5 and the ledger.
    sql: `SELECT format('%s: %s rows were updated, %s deleted', relname, n_tup_upd, n_tup_del) AS violation FROM pg_stat_user_tables
      WHERE (relname ~ '^usage_(default|[0-9]{4}_[0-9]{2}(_[0-9]{2})?)$' AND n_tup_upd > 0) OR (relname ~ '^ledger_(transaction|posting)$' AND n_tup_upd + n_tup_del > 0)`,
  },
  {
    name: 'ledger',
    says: 'what was posted for rated usage is what its rows say',
    sql: `WITH ${RATED_ROWS},
      rated_amount AS (SELECT u.organization_id, m.unit, m.charge, m.rated FROM rated_row u ${portionsOfUsage}),
      due AS (
        SELECT organization_id, 'grant_liability' AS account, unit, sum(charge) AS amount FROM rated_amount GROUP BY 1, 3
        UNION ALL SELECT organization_id, 'uncollected', unit, sum(rated - charge) FROM rated_amount GROUP BY 1, 3
        UNION ALL SELECT organization_id, 'usage_revenue', unit, -sum(rated) FROM rated_amount GROUP BY 1, 3
        UNION ALL SELECT organization_id, 'vendor_cost', cost_currency, sum(cost) FROM rated_row GROUP BY 1, 3
        UNION ALL SELECT organization_id, 'vendor_payable', cost_currency, -sum(cost) FROM rated_row GROUP BY 1, 3),
      posted AS (
        SELECT p.organization_id, p.account, p.unit, sum(p.amount) AS amount FROM ledger_posting p
        JOIN ledger_transaction t ON t.organization_id = p.organization_id AND t.id = p.transaction_id WHERE t.kind = 'usage_rated' GROUP BY 1, 2, 3)
      SELECT format('organization %s, account %s: %s %s posted, usage says %s', organization_id, account, coalesce(p.amount, 0), unit, coalesce(d.amount, 0)) AS violation
      FROM due d FULL JOIN posted p USING (organization_id, account, unit) WHERE coalesce(d.amount, 0) <> coalesce(p.amount, 0)`,
  },
  {
    name: 'ledger',
    says: 'what is owed to a customer by the ledger is what remains of its grants, once all is rated',
    sql: `WITH waiting AS (
        SELECT DISTINCT k.organization_id FROM unrated_batch b CROSS JOIN LATERAL unnest(b.organization_ids) AS k(organization_id)),
      remaining AS (
        SELECT organization_id, unit, sum(granted + adjusted - refunded - expired - rolled_over - transferred) AS amount FROM credit_grant GROUP BY 1, 2),
      used AS (SELECT u.organization_id, m.unit, sum(m.charge) AS amount FROM usage u ${portionsOfUsage} GROUP BY 1, 2),
      owed AS (SELECT organization_id, unit, -sum(amount) AS amount FROM ledger_posting WHERE account = 'grant_liability' GROUP BY 1, 2)
      SELECT format('organization %s: the ledger owes %s %s, its grants have %s left', organization_id, coalesce(o.amount, 0), unit, coalesce(r.amount, 0) - coalesce(u.amount, 0)) AS violation
      FROM remaining r FULL JOIN used u USING (organization_id, unit) FULL JOIN owed o USING (organization_id, unit)
      WHERE coalesce(o.amount, 0) <> coalesce(r.amount, 0) - coalesce(u.amount, 0) AND organization_id NOT IN (SELECT organization_id FROM waiting)`,
  },
];

const sessions: InvariantQuery[] = [
  {
    name: 'sessions',
    says: 'a session that was reaped holds nothing',
    sql: `SELECT format('session %s was reaped and lease %s is open', s.id, l.id) AS violation FROM session s JOIN lease l ON l.session_id = s.id
      WHERE s.reaped_at IS NOT NULL AND l.closed_at IS NULL
      UNION ALL
      SELECT format('session %s was reaped and request %s is open', s.id, o.id) FROM session s JOIN open_request o ON o.session_id = s.id WHERE s.reaped_at IS NOT NULL
      UNION ALL
      SELECT format('session %s was reaped at %s and settled %s after it', s.id, s.reaped_at, u.id) FROM session s JOIN usage u ON u.session_id = s.id
      WHERE u.flush >= 0 AND u.settled_at > s.reaped_at
      UNION ALL
      SELECT format('request %s is settled and open', o.id) FROM open_request o
      WHERE EXISTS (SELECT FROM usage u WHERE u.organization_id = o.organization_id AND u.id = o.id)`,
  },
];

export const invariantQueries: readonly InvariantQuery[] = [...ledger, ...grants, ...usageRows, ...sessions];
