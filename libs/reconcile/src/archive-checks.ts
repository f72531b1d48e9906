/** I2 and I7 of usage that was exported or has left: what the export kept is one account, and the ledger has it. Pure. */
import { exact, portionsOfUsage } from './arithmetic.js';
import type { Check } from './reconcile.js';
import type { ScopeSql } from './scope.js';

const LEFT = (s: ScopeSql, alias = 't'): string => `x.detached_at IS NOT NULL${s.organization(`${alias}.organization_id`)}`;

export const archiveChecks: readonly Check[] = [
  {
    name: 'archive-totals', invariant: 'I2',
    says: 'the sums of an exported partition agree: amounts from grants and from leases equal the charges, charges do not exceed ratings, and rows are counted once',
    subjects: 'exported partitions of organizations',
    expected: 'charged',
    found: 'from grants; from leases; rated',
    advice: 'A sum in usage_archive_total was changed or deleted. Read the file again and restore the sums from it.',
    sql: (s) => `
      WITH total AS (
        SELECT t.organization_id, t.partition, sum(t.amount) FILTER (WHERE t.kind = 'charge') AS charge, sum(t.amount) FILTER (WHERE t.kind = 'grant') AS of_grants, sum(t.amount) FILTER (WHERE t.kind = 'lease') AS of_leases,
          sum(t.amount) FILTER (WHERE t.kind = 'rated') AS rated, sum(t.amount) FILTER (WHERE t.kind = 'rows') AS rows
        FROM usage_archive_total t WHERE true${s.organization('t.organization_id')} GROUP BY 1, 2)
      SELECT t.organization_id, jsonb_build_object('partition', t.partition) AS place, ${exact('coalesce(t.charge, 0)')} AS expected,
        format('%s; %s; %s', ${exact('coalesce(t.of_grants, 0)')}, ${exact('coalesce(t.of_leases, 0)')}, ${exact('coalesce(t.rated, 0)')}) AS found,
        coalesce(t.charge, 0) <> coalesce(t.of_grants, 0) OR coalesce(t.charge, 0) <> coalesce(t.of_leases, 0) OR coalesce(t.rated, 0) < coalesce(t.charge, 0) OR coalesce(t.rows, 0) < 1 AS is_wrong
      FROM total t`,
  },
  {
    name: 'archive-rows', invariant: 'I5',
    says: 'the rows of an exported partition by organization sum to its total, no other partition has its range, and its steps are in order',
    subjects: 'exported partitions',
    expected: 'rows of its organizations',
    found: 'rows; detached; proven; dropped',
    advice: 'The record of the export was changed. Compare it with the file and with a backup.',
    wholeDatabaseOnly: true,
    sql: () => `
      SELECT NULL::uuid AS organization_id, jsonb_build_object('partition', x.partition, 'file', x.file) AS place, coalesce(t.rows, 0)::text AS expected, format('%s; %s; %s; %s', x.rows, x.detached_at, x.proven_at, x.dropped_at) AS found,
        x.rows <> coalesce(t.rows, 0) OR x.detached_at < x.exported_at AND x.proven_at IS NULL OR x.proven_at < x.detached_at OR x.dropped_at < x.proven_at OR (x.dropped_at IS NOT NULL AND x.proven_at IS NULL)
          OR EXISTS (SELECT FROM usage_archive y WHERE y.partition <> x.partition AND y.first_id < x.until_id AND y.until_id > x.first_id)
          OR (x.detached_at IS NULL) <> (i.inhrelid IS NOT NULL) OR (x.dropped_at IS NOT NULL) <> (c.oid IS NULL) AS is_wrong
      FROM usage_archive x LEFT JOIN (SELECT t.partition, sum(t.amount) AS rows FROM usage_archive_total t WHERE t.kind = 'rows' GROUP BY 1) t ON t.partition = x.partition
      LEFT JOIN pg_class c ON c.relname = x.partition AND c.relnamespace = 'public'::regnamespace LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND i.inhparent = 'public.usage'::regclass`,
  },
  {
    name: 'archive-current', invariant: 'I5',
    says: 'an exported partition that is still attached has not changed since its export',
    subjects: 'exported partitions that are attached',
    expected: 'as exported: rows; charge; rated; cost',
    found: 'as it is',
    advice: 'Rows were added or changed after the export. Find out why (usage-sealed names a changed row), then export the partition again; detach refuses it until then.',
    sql: (s) => `
      WITH exported AS (
        SELECT x.partition, x.first_id, x.until_id, t.organization_id, coalesce(sum(t.amount) FILTER (WHERE t.kind = 'rows'), 0) AS rows, coalesce(sum(t.amount) FILTER (WHERE t.kind = 'charge'), 0) AS charge,
          coalesce(sum(t.amount) FILTER (WHERE t.kind = 'rated'), 0) AS rated, coalesce(sum(t.amount) FILTER (WHERE t.kind = 'cost'), 0) AS cost
        FROM usage_archive x JOIN usage_archive_total t ON t.partition = x.partition WHERE x.detached_at IS NULL${s.organization('t.organization_id')} GROUP BY 1, 2, 3, 4),
      present AS (
        SELECT x.partition, u.organization_id, count(*) FILTER (WHERE m.place = 1) AS rows, sum(m.charge) AS charge, sum(m.rated) AS rated, sum(u.cost) FILTER (WHERE m.place = 1) AS cost
        FROM usage_archive x JOIN usage u ON u.id >= x.first_id AND u.id < x.until_id ${portionsOfUsage} WHERE x.detached_at IS NULL${s.organization('u.organization_id')} GROUP BY 1, 2)
      SELECT coalesce(e.organization_id, p.organization_id) AS organization_id, jsonb_build_object('partition', coalesce(e.partition, p.partition)) AS place,
        format('%s; %s; %s; %s', e.rows, ${exact('e.charge')}, ${exact('e.rated')}, ${exact('e.cost')}) AS expected, format('%s; %s; %s; %s', p.rows, ${exact('p.charge')}, ${exact('p.rated')}, ${exact('p.cost')}) AS found,
        (e.rows, e.charge, e.rated, e.cost) IS DISTINCT FROM (p.rows, p.charge, p.rated, p.cost) AS is_wrong
      FROM exported e FULL JOIN present p ON p.partition = e.partition AND p.organization_id = e.organization_id`,
  },
  {
    name: 'usage-posted', invariant: 'I7',
    says: 'all rated usage, exported usage included, is posted by organization, account and unit',
    subjects: 'accounts of organizations',
    expected: 'by usage rows and exports',
    found: 'by the ledger',
    advice: 'Usage, an export’s sums or the ledger were changed. If the rows are still in the database, rating-posted names the rating; else compare the sums in usage_archive_total with their files.',
    sql: (s) => `
      WITH waiting AS (
        SELECT k.organization_id, k.id, k.attempt FROM unrated_batch b CROSS JOIN LATERAL unnest(b.organization_ids, b.usage_ids, b.attempts) AS k (organization_id, id, attempt)),
      part AS (
        SELECT u.organization_id, m.unit, m.charge AS amount, CASE WHEN m.place = 1 THEN u.cost ELSE 0 END AS cost, u.cost_currency, m.rated FROM usage u ${portionsOfUsage}
        WHERE NOT EXISTS (SELECT FROM waiting w WHERE w.organization_id = u.organization_id AND w.id = u.id AND w.attempt = u.attempt)${s.organization('u.organization_id')}),
      due AS (
        SELECT organization_id, account, unit, sum(amount) AS amount FROM (
          SELECT p.organization_id, x.account, x.unit, x.amount FROM part p CROSS JOIN LATERAL (VALUES ('grant_liability', p.unit, p.amount), ('uncollected', p.unit, p.rated - p.amount), ('usage_revenue', p.unit, -p.rated),
            ('vendor_cost', p.cost_currency, p.cost), ('vendor_payable', p.cost_currency, -p.cost)) AS x (account, unit, amount)
          UNION ALL
          SELECT t.organization_id, y.account, t.key, y.sign * t.amount FROM usage_archive_total t JOIN usage_archive x ON x.partition = t.partition
          JOIN (VALUES ('charge', 'grant_liability', 1), ('charge', 'uncollected', -1), ('rated', 'uncollected', 1), ('rated', 'usage_revenue', -1), ('cost', 'vendor_cost', 1), ('cost', 'vendor_payable', -1)) AS y (kind, account, sign) ON y.kind = t.kind
          WHERE ${LEFT(s)}) line GROUP BY 1, 2, 3 HAVING sum(amount) <> 0),
      posted AS (
        SELECT p.organization_id, p.account, p.unit, sum(p.amount) AS amount FROM ledger_transaction t JOIN ledger_posting p ON p.organization_id = t.organization_id AND p.transaction_id = t.id
        WHERE t.kind = 'usage_rated'${s.organization('t.organization_id')} GROUP BY 1, 2, 3 HAVING sum(p.amount) <> 0)
      SELECT coalesce(d.organization_id, p.organization_id) AS organization_id, jsonb_build_object('account', coalesce(d.account, p.account), 'unit', coalesce(d.unit, p.unit)) AS place,
        ${exact('coalesce(d.amount, 0)')} AS expected, ${exact('coalesce(p.amount, 0)')} AS found, d.amount IS DISTINCT FROM p.amount AS is_wrong
      FROM due d FULL JOIN posted p ON p.organization_id = d.organization_id AND p.account = d.account AND p.unit = d.unit`,
  },
];
