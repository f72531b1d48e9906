/**
 * I2 and I3: money is conserved between grants, leases and usage. In three steps that together are the whole identity: a grant's
 * columns add up, its `leased` and `settled` are those of its leases, and what a lease settled is what usage rows took of it. Pure.
 */
import { allocationsOfUsage, exact } from './arithmetic.js';
import { besideItsRows } from './grant-sums.js';
import type { Check } from './reconcile.js';

const GRANT = "jsonb_build_object('grant', g.id, 'unit', g.unit)";

export const grantChecks: readonly Check[] = [
  {
    name: 'grant-conserved',
    invariant: 'I2',
    says: 'granted + adjusted − refunded − expired − rolled over − transferred − settled = available + leased',
    subjects: 'grants',
    expected: 'what remains of it',
    found: 'available + leased',
    advice: 'Stop spending from this grant (set closing_at), find out what wrote its columns, and correct them with an adjustment, which posts.',
    sql: (s) => `
      SELECT g.organization_id, ${GRANT} AS place, ${exact('d.remains')} AS expected, ${exact('g.available + g.leased')} AS found,
        d.remains <> g.available + g.leased AS is_wrong
      FROM credit_grant g CROSS JOIN LATERAL (
        SELECT g.granted + g.adjusted - g.refunded - g.expired - g.rolled_over - g.transferred - g.settled AS remains) d
      WHERE true${s.organization('g.organization_id')}`,
  },
  {
    name: 'grant-leases',
    invariant: 'I2',
    says: "a grant's leased is the sum of its open leases' slices, and its settled the sum that its closed leases settled",
    subjects: 'grants',
    expected: 'leased; settled, by its leases',
    found: 'leased; settled, by the grant',
    advice: 'A lease was lost, or was made or changed by hand. Compare the leases of this grant with a backup, and restore the missing ones.',
    sql: (s) => `
      WITH lease_sum AS (
        SELECT l.organization_id, l.grant_id, coalesce(sum(l.slice) FILTER (WHERE l.closed_at IS NULL), 0) AS leased, coalesce(sum(l.settled), 0) AS settled
        FROM lease l WHERE true${s.organization('l.organization_id')} GROUP BY 1, 2)
      SELECT g.organization_id, ${GRANT} AS place, ${exact('coalesce(l.leased, 0)')} || '; ' || ${exact('coalesce(l.settled, 0)')} AS expected,
        ${exact('g.leased')} || '; ' || ${exact('g.settled')} AS found,
        g.leased <> coalesce(l.leased, 0) OR g.settled <> coalesce(l.settled, 0) AS is_wrong
      FROM credit_grant g LEFT JOIN lease_sum l ON l.organization_id = g.organization_id AND l.grant_id = g.id
      WHERE true${s.organization('g.organization_id')}`,
  },
  {
    name: 'grant-adjusted',
    invariant: 'I2',
    says: "a grant's adjusted is the sum of its adjustments, each of which has a reason",
    subjects: 'grants',
    expected: 'the sum of its adjustments',
    found: 'adjusted',
    advice: 'The grant or an adjustment was changed by hand. Compare both with a backup, and correct the grant with grant_adjust_against, which posts.',
    sql: (s) => besideItsRows(s, 'grant_adjustment', {
      sums: 'sum(r.amount) AS amount',
      expected: exact('coalesce(x.amount, 0)'),
      found: exact('g.adjusted'),
      isWrong: 'g.adjusted <> coalesce(x.amount, 0)',
    }),
  },
  {
    name: 'lease-settled',
    invariant: 'I2',
    says: 'a closed lease settled the amount that usage rows took from it, and usage took at most the slice of an open lease',
    subjects: 'leases',
    expected: 'taken by usage rows',
    found: 'settled, or the slice of an open lease',
    advice: 'Usage rows are missing or were changed, or the lease was. Look for rows of this session in a backup and in the logs, and correct the grant with an adjustment.',
    sql: (s) => `
      WITH lease_due AS (SELECT l.* FROM lease l WHERE true${s.leases('l')}),
      part AS (
        SELECT u.organization_id, a.lease_id, a.amount FROM usage u ${allocationsOfUsage}
        WHERE u.id >= (SELECT d.first_usage_id FROM lease_due d ORDER BY 1 LIMIT 1)${s.organization('u.organization_id')}${s.leasedIds('u.id')}
        UNION ALL
        -- What rows that have left the database took.
        SELECT t.organization_id, t.key::uuid, t.amount FROM usage_archive_total t JOIN usage_archive x ON x.partition = t.partition
        WHERE t.kind = 'lease' AND x.detached_at IS NOT NULL${s.organization('t.organization_id')}),
      taken AS (SELECT organization_id, lease_id, sum(amount) AS amount FROM part GROUP BY 1, 2)
      SELECT l.organization_id, jsonb_build_object('lease', l.id, 'grant', l.grant_id, 'session', l.session_id) AS place,
        ${exact('coalesce(t.amount, 0)')} AS expected, ${exact('coalesce(l.settled, l.slice)')} || CASE WHEN l.closed_at IS NULL THEN ' at most' ELSE '' END AS found,
        CASE WHEN l.closed_at IS NULL THEN coalesce(t.amount, 0) > l.slice ELSE coalesce(t.amount, 0) <> l.settled END AS is_wrong
      FROM lease_due l LEFT JOIN taken t ON t.organization_id = l.organization_id AND t.lease_id = l.id`,
  },
  {
    name: 'allocation-lease',
    invariant: 'I2',
    says: 'an allocation takes from a lease of its own organization, session and grant, in the unit of the grant',
    subjects: 'allocations',
    expected: 'a lease of this organization, session and grant',
    found: 'the lease that the allocation names',
    advice: 'The row was changed after its settlement, so one organization may have paid for another. Restore it from a backup, and find out who changed it.',
    sql: (s) => `
      SELECT u.organization_id, jsonb_build_object('usage', u.id, 'attempt', u.attempt, 'session', u.session_id) AS place, 'one' AS expected,
        format('lease %s of %s, grant %s, %s %s', coalesce(a.lease_id::text, 'unreadable'),
          CASE WHEN l.id IS NOT NULL THEN 'its organization' ELSE coalesce((SELECT 'organization ' || x.organization_id FROM lease x WHERE x.id = a.lease_id LIMIT 1), 'nobody') END,
          coalesce(a.grant_id::text, 'unreadable'), coalesce(${exact('a.amount')}, 'an unreadable amount of'), a.unit) AS found,
        l.id IS NULL OR g.id IS NULL OR a.amount IS NULL OR a.amount < 0 OR u.id < l.first_usage_id AS is_wrong
      FROM usage u ${allocationsOfUsage}
      LEFT JOIN lease l ON l.organization_id = u.organization_id AND l.id = a.lease_id AND l.session_id = u.session_id AND l.grant_id = a.grant_id
      LEFT JOIN credit_grant g ON g.organization_id = u.organization_id AND g.id = a.grant_id AND g.unit = a.unit
      WHERE true${s.usage('u')}`,
  },
  {
    name: 'grant-floor',
    invariant: 'I3',
    says: 'no grant is below its floor',
    subjects: 'grants',
    expected: 'nothing below 0',
    found: 'available; leased',
    advice: 'The organization spent more than it bought. Close the grant (closing_at), and book the shortfall as a receivable.',
    sql: (s) => `
      SELECT g.organization_id, ${GRANT} AS place, '0; 0' AS expected, ${exact('g.available')} || '; ' || ${exact('g.leased')} AS found,
        g.available < 0 OR g.leased < 0 AS is_wrong
      FROM credit_grant g WHERE true${s.organization('g.organization_id')}`,
  },
  {
    name: 'floor-enforced',
    invariant: 'I3',
    says: 'the database itself refuses grants below their floor, charges above their hold, and sums that do not add up',
    subjects: 'constraints',
    expected: 'the constraint as released',
    found: 'the constraint in this database',
    advice: 'Restore the constraint from the migrations: until then only code protects the money.',
    wholeDatabaseOnly: true,
    sql: () => `
      SELECT NULL::uuid AS organization_id, jsonb_build_object('table', x.of, 'constraint', x.name) AS place, 'in force' AS expected,
        CASE WHEN c.oid IS NULL THEN 'missing' ELSE 'not in force' END AS found, c.oid IS NULL OR NOT c.convalidated OR NOT c.conenforced AS is_wrong
      FROM (VALUES ('credit_grant', 'never_below_the_floor'), ('credit_grant', 'conserved'), ('lease', 'settled_when_closed'), ('usage', 'never_above_the_hold')) AS x (of, name)
      LEFT JOIN pg_constraint c ON c.conrelid = to_regclass(x.of) AND c.conname = x.name`,
  },
];
