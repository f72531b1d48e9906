/** I1 and I7: use that was rated again, and every kind of transaction that there may be. Pure. */
import { exact } from './arithmetic.js';
import type { Check } from './reconcile.js';

export const adjustmentChecks: readonly Check[] = [
  {
    name: 'rating-adjusted', invariant: 'I1',
    says: 'each adjustment of a rating has its usage row, was posted once, and moved between grants the amount that it posted',
    subjects: 'adjustments of ratings',
    expected: 'by the adjustment',
    found: 'by the ledger; moved between grants; its usage row',
    advice: 'An adjustment was written, changed or posted past rating_adjust_unit: compare it with the usage row, and with the price that it was rated at.',
    sql: (s) => `
      WITH adjustment AS (SELECT j.*, j.charge - j.receivable AS paid FROM rating_adjustment j WHERE true${s.organization('j.organization_id')}),
      posted AS (
        SELECT t.organization_id, t.id, t.source_id, t.posted_at, count(DISTINCT p.unit) AS units, min(p.unit) AS unit,
          coalesce(sum(p.amount) FILTER (WHERE p.account = 'grant_liability'), 0) AS paid, coalesce(sum(p.amount) FILTER (WHERE p.account = 'receivable'), 0) AS receivable,
          coalesce(sum(p.amount) FILTER (WHERE p.account = 'uncollected'), 0) AS uncollected, coalesce(-sum(p.amount) FILTER (WHERE p.account = 'usage_revenue'), 0) AS rated,
          count(*) FILTER (WHERE p.account NOT IN ('grant_liability', 'receivable', 'uncollected', 'usage_revenue')) AS others
        FROM ledger_transaction t LEFT JOIN ledger_posting p ON p.organization_id = t.organization_id AND p.transaction_id = t.id
        WHERE t.kind = 'rating_adjusted'${s.organization('t.organization_id')} GROUP BY t.organization_id, t.id),
      moved AS (
        SELECT organization_id, reference, sum(amount) AS amount, min(moment) AS first, max(moment) AS last FROM (
          SELECT x.organization_id, x.reference, -x.amount AS amount, x.adjusted_at AS moment FROM grant_adjustment x WHERE x.cause = 'rating'${s.organization('x.organization_id')}
          UNION ALL
          -- An amount given back to a closed grant is a grant of its own.
          SELECT g.organization_id, split_part(g.reference, ':', 1), -g.granted, g.created_at FROM credit_grant g JOIN adjustment j ON j.organization_id = g.organization_id AND g.reference LIKE j.id || ':%') part
        GROUP BY 1, 2),
      gone AS (SELECT x.first_id, x.until_id FROM usage_archive x WHERE x.detached_at IS NOT NULL)
      SELECT coalesce(j.organization_id, p.organization_id, m.organization_id) AS organization_id,
        jsonb_build_object('adjustment', coalesce(j.id::text, p.source_id, m.reference), 'usage', j.usage_id, 'attempt', j.attempt, 'transaction', p.id) AS place,
        CASE WHEN j.id IS NULL THEN 'no adjustment' ELSE format('%s paid, %s receivable, %s uncollected, %s rated', ${exact('j.paid')}, ${exact('j.receivable')}, ${exact('j.rated - j.charge')}, ${exact('j.rated')}) END AS expected,
        format('%s; %s; %s', CASE WHEN p.id IS NULL THEN 'not posted' ELSE format('%s %s paid, %s receivable, %s uncollected, %s rated', ${exact('p.paid')}, p.unit, ${exact('p.receivable')}, ${exact('p.uncollected')}, ${exact('p.rated')}) END,
          ${exact('coalesce(m.amount, 0)')}, coalesce(u.unit, 'none')) AS found,
        j.id IS NULL OR p.id IS NULL OR p.units <> 1 OR p.others > 0 OR (p.paid, p.receivable, p.uncollected, p.rated) IS DISTINCT FROM (j.paid, j.receivable, j.rated - j.charge, j.rated)
          OR coalesce(m.amount, 0) <> j.paid OR j.adjusted_at <> p.posted_at OR m.first <> j.adjusted_at OR m.last <> j.adjusted_at
          OR coalesce(j.unit, u.unit) <> p.unit OR u.id IS NULL AND NOT EXISTS (SELECT FROM gone WHERE j.usage_id >= gone.first_id AND j.usage_id < gone.until_id) AS is_wrong
      FROM adjustment j
      FULL JOIN posted p ON p.organization_id = j.organization_id AND p.source_id = j.id::text
      FULL JOIN moved m ON m.organization_id = coalesce(j.organization_id, p.organization_id) AND m.reference = coalesce(j.id::text, p.source_id)
      LEFT JOIN usage u ON u.organization_id = j.organization_id AND u.id = j.usage_id AND u.attempt = j.attempt`,
  },
  {
    name: 'ledger-kinds', invariant: 'I1',
    says: 'every transaction is of a kind that this version posts, on the accounts of that kind',
    subjects: 'transactions',
    expected: 'a kind, and its accounts',
    found: 'the kind; accounts of other kinds',
    advice: 'This version posts no such transaction: somebody forged it, or a newer version posted it. Reverse it with a new transaction.',
    sql: (s) => `
      WITH of_kind (kind, accounts) AS (VALUES
        ('grant_issued', '{cash_clearing,stripe_clearing,invoice_receivable,promotion_expense,grant_liability}'::text[]), ('grant_expired', '{grant_liability,breakage_revenue}'),
        ('grant_refunded', '{grant_liability,cash_clearing,stripe_clearing,invoice_receivable,promotion_expense}'), ('grant_adjusted', '{manual_adjustment,promotion_expense,grant_liability}'),
        ('grant_transferred', '{grant_liability,transfer_clearing}'), ('grant_received', '{grant_liability,transfer_clearing}'), ('rating_adjusted', '{grant_liability,receivable,uncollected,usage_revenue}'),
        ('usage_rated', '{grant_liability,uncollected,usage_revenue,vendor_cost,vendor_payable}'), ('invoice_rounded', '{rounding,cash_clearing,invoice_receivable}'))
      SELECT t.organization_id, jsonb_build_object('transaction', t.id, 'kind', t.kind, 'source', t.source_id) AS place,
        coalesce(array_to_string(k.accounts, ', '), 'a kind that this version posts') AS expected, concat_ws('; ', t.kind, p.strange) AS found,
        -- An invoice's rounding is less than a cent of any currency with cents; invoices themselves are not kept yet.
        k.kind IS NULL OR p.strange IS NOT NULL OR (t.kind = 'invoice_rounded' AND p.largest >= 1) AS is_wrong
      FROM ledger_transaction t LEFT JOIN of_kind k ON k.kind = t.kind
      CROSS JOIN LATERAL (
        SELECT string_agg(x.account || ' ' || x.amount, ', ') FILTER (WHERE x.account <> ALL (k.accounts)) AS strange, max(abs(x.amount)) AS largest
        FROM ledger_posting x WHERE x.organization_id = t.organization_id AND x.transaction_id = t.id) p
      WHERE true${s.organization('t.organization_id')}${s.times('t.posted_at')}`,
  },
  {
    name: 'ledger-heads', invariant: 'I1',
    says: 'the head of each chain names the last transaction of its organization',
    subjects: 'chains',
    expected: 'the last transaction',
    found: 'the head',
    advice: 'The chain lost its last transactions or all of them, or its head was changed. Compare the ledger with a backup.',
    sql: (s) => `
      WITH last AS (SELECT DISTINCT ON (t.organization_id) t.organization_id, t.id, t.position, t.hash FROM ledger_transaction t WHERE true${s.organization('t.organization_id')} ORDER BY t.organization_id, t.position DESC),
      head AS (SELECT c.* FROM ledger_chain c WHERE true${s.organization('c.organization_id')})
      SELECT coalesce(l.organization_id, h.organization_id) AS organization_id, jsonb_build_object('transaction', l.id, 'position', l.position) AS place,
        format('%s %s', coalesce(l.position, 0), left(encode(l.hash, 'hex'), 16)) AS expected, format('%s %s', coalesce(h.position::text, 'no head'), left(encode(h.hash, 'hex'), 16)) AS found,
        h.position IS DISTINCT FROM coalesce(l.position, 0) OR (l.id IS NOT NULL AND h.hash IS DISTINCT FROM l.hash) AS is_wrong
      FROM last l FULL JOIN head h ON h.organization_id = l.organization_id`,
  },
];
