/** I1: the ledger balances and is only added to, and it says of grants what they say themselves. Pure. */
import { exact } from './arithmetic.js';
import type { Check } from './reconcile.js';

export const ledgerChecks: readonly Check[] = [
  {
    name: 'ledger-balanced',
    invariant: 'I1',
    says: 'every ledger transaction sums to zero in each unit',
    subjects: 'transactions and units',
    expected: 'zero',
    found: 'the sum of its postings',
    advice: 'A posting was added, changed or deleted, because the database posts transactions whole. Compare it with a backup.',
    sql: (s) => `
      SELECT t.organization_id, jsonb_build_object('transaction', t.id, 'kind', t.kind, 'source', t.source_id, 'unit', p.unit) AS place, '0' AS expected,
        CASE WHEN count(p.amount) = 0 THEN 'no posting' ELSE ${exact('sum(p.amount)')} END AS found, count(p.amount) = 0 OR sum(p.amount) <> 0 AS is_wrong
      FROM ledger_transaction t LEFT JOIN ledger_posting p ON p.organization_id = t.organization_id AND p.transaction_id = t.id
      WHERE true${s.organization('t.organization_id')}${s.times('t.posted_at')} GROUP BY t.organization_id, t.id, p.unit`,
  },
  {
    name: 'ledger-chain',
    invariant: 'I1',
    says: "an organization's transactions are a chain without gaps: each carries the hash of the one before and of its own contents",
    subjects: 'transactions',
    expected: 'its place and hash by its contents and the one before',
    found: 'its place and hash',
    advice: 'This transaction, one of its postings or the transaction before it was changed, added or removed later. Compare the ledger from here on with a backup.',
    // Places are counted from the chain's beginning, whatever the period; hashes are made anew for the period alone.
    sql: (s) => `
      WITH linked AS (
        SELECT t.*, c.position AS head, c.hash AS head_hash, lag(t.hash, 1, decode(repeat('00', 32), 'hex')) OVER chain AS hash_before, row_number() OVER chain AS place,
          lead(t.position) OVER chain AS next
        FROM ledger_transaction t LEFT JOIN ledger_chain c ON c.organization_id = t.organization_id WHERE true${s.organization('t.organization_id')}
        WINDOW chain AS (PARTITION BY t.organization_id ORDER BY t.position)),
      due AS (
        SELECT l.*, sha256(convert_to(concat_ws(E'\\n', 'kilotoken-ledger-1', l.organization_id, l.place, l.id, to_json(l.kind), to_json(l.source_id),
          (extract(epoch FROM l.posted_at) * 1000000)::bigint, p.postings, encode(l.hash_before, 'hex')), 'UTF8')) AS hash_due
        FROM linked l CROSS JOIN LATERAL (
          SELECT string_agg(p.line || ' ' || to_json(p.account) || ' ' || to_json(p.unit) || ' ' || p.amount, E'\\n' ORDER BY p.line) AS postings
          FROM ledger_posting p WHERE p.organization_id = l.organization_id AND p.transaction_id = l.id) p WHERE true${s.times('l.posted_at')})
      SELECT organization_id, jsonb_build_object('transaction', id, 'kind', kind, 'source', source_id) AS place,
        format('%s %s', place, left(encode(hash_due, 'hex'), 16)) AS expected,
        format('%s %s%s', position, left(encode(hash, 'hex'), 16), CASE WHEN next IS NULL AND (head, head_hash) IS DISTINCT FROM (position, hash) THEN ', and the chain goes on to ' || coalesce(head, 0) ELSE '' END) AS found,
        position <> place OR previous_hash <> hash_before OR hash <> hash_due OR (next IS NULL AND (head, head_hash) IS DISTINCT FROM (position, hash)) AS is_wrong
      FROM due`,
  },
  {
    name: 'ledger-grants',
    invariant: 'I1',
    says: 'the ledger’s liability for grants, before usage, is the sum of granted + adjusted − refunded − expired − rolled over − transferred',
    subjects: 'organizations and units',
    expected: 'by the grants',
    found: 'by the ledger',
    advice: 'A grant was made or changed without a posting, or a posting was doubled. List the transactions of grant_liability beside the grants, and post the difference.',
    sql: (s) => `
      WITH remaining AS (
        SELECT g.organization_id, g.unit, sum(g.granted + g.adjusted - g.refunded - g.expired - g.rolled_over - g.transferred) AS amount
        FROM credit_grant g WHERE true${s.organization('g.organization_id')} GROUP BY 1, 2),
      owed AS (
        SELECT p.organization_id, p.unit, -sum(p.amount) AS amount FROM ledger_posting p
        JOIN ledger_transaction t ON t.organization_id = p.organization_id AND t.id = p.transaction_id
        WHERE p.account = 'grant_liability' AND t.kind <> 'usage_rated'${s.organization('p.organization_id')} GROUP BY 1, 2)
      SELECT organization_id, jsonb_build_object('account', 'grant_liability', 'unit', unit) AS place,
        ${exact('coalesce(r.amount, 0)')} AS expected, ${exact('coalesce(o.amount, 0)')} AS found, coalesce(r.amount, 0) <> coalesce(o.amount, 0) AS is_wrong
      FROM remaining r FULL JOIN owed o USING (organization_id, unit)`,
  },
  {
    name: 'append-only',
    invariant: 'I1',
    says: 'usage rows and postings are only inserted',
    subjects: 'tables',
    expected: 'no row updated, no posting deleted',
    found: "by Postgres' own counters",
    advice:
      'Somebody changed rows that must never change. If it was a known migration or repair, reset the counters: SELECT pg_stat_reset_single_table_counters(\'<table>\'::regclass).',
    wholeDatabaseOnly: true,
    // Of ledger_transaction the chain tells, which a migration once added to its rows. Postgres counts since it last crashed. What two executions of one flush insert at the same moment is counted as inserted twice
    // and deleted once; a usage row that is really gone is missed by other checks.
    sql: () => `
      SELECT NULL::uuid AS organization_id, jsonb_build_object('table', c.relname) AS place, '0 updated' AS expected,
        format('%s updated, %s deleted', c.n_tup_upd, c.n_tup_del) AS found,
        c.n_tup_upd > 0 OR (c.n_tup_del > 0 AND c.relname = 'ledger_posting') AS is_wrong
      FROM pg_stat_user_tables c
      WHERE c.relname = 'ledger_posting' OR c.relid IN (SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = 'usage'::regclass)`,
  },
  {
    name: 'usage-partitions',
    invariant: 'I5',
    says: 'today and tomorrow each have a partition of usage',
    subjects: 'days',
    expected: 'a partition',
    found: 'the table that takes its rows',
    advice: 'Make partitions ahead (npm run kt -- partitions make): rows of this day go to usage_default, where searches are slow and no policy detaches them.',
    wholeDatabaseOnly: true,
    sql: () => `
      WITH day AS (
        SELECT m.moment, (lpad(to_hex((extract(epoch FROM m.moment) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid AS id
        FROM (SELECT now() + (SELECT clock_shift FROM database_mark) + step AS moment FROM (VALUES (interval '0'), (interval '1 day')) AS x (step)) AS m),
      bound AS (
        SELECT substring(b.text FROM $$FROM \\('([0-9a-f-]+)'\\)$$)::uuid AS first, substring(b.text FROM $$TO \\('([0-9a-f-]+)'\\)$$)::uuid AS last
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid CROSS JOIN LATERAL (SELECT pg_get_expr(c.relpartbound, c.oid) AS text) b
        WHERE i.inhparent = 'usage'::regclass AND b.text <> 'DEFAULT')
      SELECT NULL::uuid AS organization_id, jsonb_build_object('day', d.moment::date) AS place, 'one' AS expected, 'usage_default' AS found,
        NOT EXISTS (SELECT FROM bound b WHERE d.id >= b.first AND d.id < b.last) AS is_wrong
      FROM day d`,
  },
];
