/**
 * I1: the ledger and the grants agree transaction by transaction. Every change of a grant has the one transaction that posts it, with the
 * accounts, the unit, the amount and the moment that the grant's own rows say; and every transaction has the row that it is of. Pure.
 */
import { exact } from './arithmetic.js';
import { besideItsRows } from './grant-sums.js';
import type { Check } from './reconcile.js';
import type { ScopeSql } from './scope.js';

/** Postings as one text: `account unit amount, …`, in the order of accounts. */
const written = (account: string, unit: string, amount: string): string => `string_agg(concat_ws(' ', ${account}, ${unit}, ${exact(amount)}), ', ' ORDER BY ${account}, ${unit}, ${amount})`;

/** The transactions of a kind: `posted (organization_id, id, source_id, posted_at, postings)`. */
const POSTED = (s: ScopeSql, kind: string): string => `
  posted AS (
    SELECT t.organization_id, t.id, t.source_id, t.posted_at, ${written('p.account', 'p.unit', 'p.amount')} AS postings
    FROM ledger_transaction t LEFT JOIN ledger_posting p ON p.organization_id = t.organization_id AND p.transaction_id = t.id
    WHERE t.kind = '${kind}'${s.organization('t.organization_id')} GROUP BY t.organization_id, t.id)`;

/** The postings that are due: a row of `due` has organization_id, source_id, moment, place, and its lines as a VALUES list. */
const lines = (values: string): string => `(SELECT ${written('x.account', 'x.unit', 'x.amount')} FROM (VALUES ${values}) AS x (account, unit, amount) WHERE x.amount <> 0)`;

/** A moment in microseconds: how it reads does not depend on a session's time zone. */
const at = (moment: string): string => `(extract(epoch FROM ${moment}) * 1000000)::bigint`;

const COMPARED = `
  SELECT coalesce(d.organization_id, p.organization_id) AS organization_id,
    coalesce(d.place, '{}') || jsonb_build_object('transaction', p.id, 'source', coalesce(d.source_id, p.source_id)) AS place,
    coalesce(d.postings || ' at ' || ${at('d.moment')}, 'no transaction') AS expected, coalesce(p.postings || ' at ' || ${at('p.posted_at')}, 'no transaction') AS found,
    d.postings IS DISTINCT FROM p.postings OR d.moment IS DISTINCT FROM p.posted_at AS is_wrong
  FROM due d FULL JOIN posted p ON p.organization_id = d.organization_id AND p.source_id = d.source_id
  WHERE d.postings IS NOT NULL OR p.id IS NOT NULL`;

const texts = { subjects: 'transactions', expected: 'by the rows of grants', found: 'by the ledger' } as const;

/** The account that a grant was issued against: its own, or the default of its source. */
const COUNTER = "coalesce(g.counter_account, CASE WHEN g.source IN ('promotion', 'free_quota', 'sla_credit') THEN 'promotion_expense' ELSE 'cash_clearing' END)";
/** A grant that gives back what a closed one paid, by an adjustment of a rating: the adjustment's posting is that of the grant. */
const GIVEN_BACK = "EXISTS (SELECT FROM rating_adjustment j WHERE j.organization_id = g.organization_id AND g.reference LIKE j.id || ':%')";

export const grantLedgerChecks: readonly Check[] = [
  {
    name: 'grant-issued', invariant: 'I1', ...texts,
    says: 'each grant was posted once, at its issue and against the account of its source; no issue was posted without a grant',
    advice: 'Something other than grant_issue_against made, changed or posted a grant. Compare it with the payment or decision behind it, and correct it with an adjustment, which posts.',
    sql: (s) => `
      WITH due AS (
        SELECT g.organization_id, g.id::text AS source_id, g.created_at AS moment, jsonb_build_object('grant', g.id, 'reference', g.reference) AS place,
          ${lines(`(${COUNTER}, g.unit, g.granted), ('grant_liability', g.unit, -g.granted)`)} AS postings
        FROM credit_grant g WHERE g.source <> 'transfer' AND NOT ${GIVEN_BACK}${s.organization('g.organization_id')}), ${POSTED(s, 'grant_issued')} ${COMPARED}`,
  },
  {
    name: 'grant-source', invariant: 'I1', subjects: 'grants', expected: 'promotional or not, by the source', found: 'by the grant',
    says: 'a grant is promotional exactly if its source gives grants away',
    advice: 'A sale was recorded as a gift, or a gift as a sale, so revenue and expense are wrong by the grant. Compare it with its payment.',
    sql: (s) => `
      SELECT g.organization_id, jsonb_build_object('grant', g.id, 'source', g.source) AS place, d.is_gift::text AS expected, g.promotional::text AS found, d.is_gift <> g.promotional AS is_wrong
      FROM credit_grant g CROSS JOIN LATERAL (SELECT g.source IN ('promotion', 'free_quota', 'sla_credit') AS is_gift) d WHERE g.source <> 'transfer'${s.organization('g.organization_id')}`,
  },
  {
    name: 'grant-expired', invariant: 'I1', subjects: 'grants', expected: 'by the grant; its end has come', found: 'by the ledger; its end',
    says: 'each part of a grant that expired was posted, after the grant’s end',
    advice: 'An expiry was posted that the grant does not have, or not posted. Compare the transactions grant_expired of this grant with its column.',
    sql: (s) => `
      WITH posted AS (
        SELECT t.organization_id, split_part(t.source_id, ':', 1) AS grant_id, min(t.id::text) AS id, min(t.posted_at) AS first,
          sum(p.amount) FILTER (WHERE p.account = 'grant_liability') AS amount, sum(-p.amount) FILTER (WHERE p.account = 'breakage_revenue') AS breakage,
          count(*) FILTER (WHERE p.account NOT IN ('grant_liability', 'breakage_revenue')) AS others, min(p.unit) AS unit, count(DISTINCT p.unit) AS units
        FROM ledger_transaction t LEFT JOIN ledger_posting p ON p.organization_id = t.organization_id AND p.transaction_id = t.id
        WHERE t.kind = 'grant_expired'${s.organization('t.organization_id')} GROUP BY 1, 2),
      due AS (SELECT g.* FROM credit_grant g WHERE true${s.organization('g.organization_id')})
      SELECT coalesce(g.organization_id, p.organization_id) AS organization_id, jsonb_build_object('grant', coalesce(g.id::text, p.grant_id), 'transaction', p.id) AS place,
        concat_ws(' ', ${exact('g.expired')}, g.unit) AS expected, format('%s %s, breakage %s, %s other postings; %s', coalesce(${exact('p.amount')}, '0'), p.unit, coalesce(${exact('p.breakage')}, '0'), coalesce(p.others, 0), g.expires_at) AS found,
        g.id IS NULL OR g.expired <> coalesce(p.amount, 0) OR g.expired <> coalesce(p.breakage, 0) OR p.others > 0 OR p.units > 1 OR p.unit <> g.unit
          OR (g.expired > 0 AND (g.expires_at IS NULL OR g.expires_at > p.first)) AS is_wrong
      FROM due g FULL JOIN posted p ON p.organization_id = g.organization_id AND p.grant_id = g.id::text`,
  },
  {
    name: 'grant-refunded', invariant: 'I1', subjects: 'refunds', expected: 'by the refund', found: 'by the ledger',
    says: 'each part of a refund was posted between the request and the end of the refund, against its account or the grant’s',
    advice: 'Something other than grant_refund_against wrote or posted a refund. Compare it with the money that the customer got back.',
    // Release 0.2.0 refunded a grant once, under the grant's id alone.
    sql: (s) => `
      WITH posted AS (
        SELECT t.organization_id, split_part(t.source_id, ':', 1) AS grant_id, split_part(t.source_id, ':', 2) AS refund_id, min(t.id::text) AS id, min(t.posted_at) AS first, max(t.posted_at) AS last,
          count(DISTINCT p.unit) AS units, min(p.unit) AS unit, coalesce(sum(p.amount) FILTER (WHERE p.account = 'grant_liability'), 0) AS amount,
          string_agg(DISTINCT p.account, ', ') FILTER (WHERE p.account <> 'grant_liability') AS against
        FROM ledger_transaction t LEFT JOIN ledger_posting p ON p.organization_id = t.organization_id AND p.transaction_id = t.id
        WHERE t.kind = 'grant_refunded'${s.organization('t.organization_id')} GROUP BY 1, 2, 3),
      due AS (
        SELECT r.*, CASE WHEN EXISTS (SELECT FROM posted p WHERE p.organization_id = r.organization_id AND p.grant_id = r.grant_id::text AND p.refund_id = '') AND r.asked IS NULL THEN '' ELSE r.id::text END AS refund_key, coalesce(r.amount, 0) AS due, coalesce(r.counter_account, ${COUNTER}) AS against, g.unit
        FROM grant_refund r LEFT JOIN credit_grant g ON g.organization_id = r.organization_id AND g.id = r.grant_id WHERE true${s.organization('r.organization_id')})
      SELECT coalesce(d.organization_id, p.organization_id) AS organization_id,
        jsonb_build_object('grant', coalesce(d.grant_id::text, p.grant_id), 'refund', coalesce(d.reference, p.refund_id), 'transaction', p.id) AS place,
        CASE WHEN d.id IS NULL THEN 'no refund' ELSE format('%s %s against %s, from %s to %s', ${exact('d.due')}, d.unit, d.against, d.requested_at, d.refunded_at) END AS expected,
        CASE WHEN p.id IS NULL THEN 'no transaction' ELSE format('%s %s against %s, from %s to %s', ${exact('p.amount')}, p.unit, p.against, p.first, p.last) END AS found,
        d.id IS NULL OR d.unit IS NULL OR d.due <> coalesce(p.amount, 0) OR (p.id IS NOT NULL AND (p.units <> 1 OR p.unit <> d.unit OR p.against IS DISTINCT FROM d.against OR p.first < d.requested_at
          OR coalesce(p.last > d.refunded_at, false) OR (d.asked IS NULL AND p.last IS DISTINCT FROM d.refunded_at))) AS is_wrong
      FROM due d FULL JOIN posted p ON p.organization_id = d.organization_id AND p.grant_id = d.grant_id::text AND p.refund_id = d.refund_key`,
  },
  {
    name: 'grant-closing', invariant: 'I2', subjects: 'grants', expected: 'refunded; closing or not, by its refunds', found: 'refunded; closing or not, by the grant',
    says: 'a grant is closing since a refund of the rest was requested, and its refunded amount is the sum of its refunds',
    advice: 'A refund was lost, or was made or changed by hand. Compare the rows of grant_refund with a backup.',
    sql: (s) => besideItsRows(s, 'grant_refund', {
      sums: 'coalesce(sum(r.amount), 0) AS amount, min(r.requested_at) FILTER (WHERE r.asked IS NULL) AS since',
      expected: `format('%s; %s', ${exact('coalesce(x.amount, 0)')}, coalesce(x.since::text, 'open'))`,
      found: `format('%s; %s', ${exact('g.refunded')}, coalesce(g.closing_at::text, 'open'))`,
      isWrong: 'g.refunded <> coalesce(x.amount, 0) OR g.closing_at IS DISTINCT FROM x.since',
    }),
  },
  {
    name: 'grant-adjustments', invariant: 'I1', ...texts,
    says: 'each adjustment by hand was posted once, under its reference',
    advice: 'Something other than grant_adjust_against wrote, changed or posted an adjustment. Compare it with the ticket that its reference names.',
    sql: (s) => `
      WITH due AS (
        SELECT g.organization_id, j.reference AS source_id, j.adjusted_at AS moment, jsonb_build_object('grant', g.id, 'adjustment', j.id) AS place,
          ${lines("(coalesce(j.counter_account, 'manual_adjustment'), g.unit, j.amount), ('grant_liability', g.unit, -j.amount)")} AS postings
        FROM grant_adjustment j JOIN credit_grant g ON g.organization_id = j.organization_id AND g.id = j.grant_id WHERE j.cause = 'by_hand'${s.organization('j.organization_id')}),
      ${POSTED(s, 'grant_adjusted')} ${COMPARED}`,
  },
  {
    name: 'grant-transfers', invariant: 'I2', subjects: 'grants', expected: 'rolled over; transferred, by the transfers', found: 'rolled over; transferred, by the grant',
    says: 'a grant’s transferred amount is the sum of its transfers, and it has no rolled-over amount, which nothing posts yet',
    advice: 'A transfer was lost, or was made or changed by hand, or somebody wrote these columns. Compare the rows of grant_transfer with a backup.',
    sql: (s) => besideItsRows(s, 'grant_transfer', {
      sums: 'sum(r.amount) AS amount',
      expected: `'0; ' || ${exact('coalesce(x.amount, 0)')}`,
      found: `format('%s; %s', ${exact('g.rolled_over')}, ${exact('g.transferred')})`,
      isWrong: 'g.rolled_over <> 0 OR g.transferred <> coalesce(x.amount, 0)',
    }),
  },
  {
    name: 'grant-given', invariant: 'I1', ...texts,
    says: 'each transfer was posted once at the giving organization',
    advice: 'Something other than grant_transfer wrote, changed or posted a transfer. Compare it with the transfer’s reason.',
    sql: (s) => `
      WITH due AS (
        SELECT t.organization_id, concat_ws(':', t.grant_id, t.id) AS source_id, t.transferred_at AS moment, jsonb_build_object('transfer', t.id, 'grant', t.grant_id) AS place,
          ${lines("('grant_liability', g.unit, t.amount), ('transfer_clearing', g.unit, -t.amount)")} AS postings
        FROM grant_transfer t LEFT JOIN credit_grant g ON g.organization_id = t.organization_id AND g.id = t.grant_id WHERE true${s.organization('t.organization_id')}),
      ${POSTED(s, 'grant_transferred')} ${COMPARED}`,
  },
  {
    name: 'grant-received', invariant: 'I1', ...texts,
    says: 'each received grant belongs to one transfer inside its account tree, with its amount, unit and account, and was posted once',
    advice: 'A received grant has no transfer, or the wrong one. Compare both organizations with a backup: the receiver got what the giver gave.',
    sql: (s) => `
      WITH due AS (
        SELECT g.organization_id, g.id::text AS source_id, t.transferred_at AS moment, jsonb_build_object('grant', g.id, 'transfer', t.id, 'from', t.organization_id) AS place,
          CASE WHEN t.amount = g.granted AND f.unit = g.unit AND ${COUNTER.replaceAll('g.', 'f.')} = g.counter_account AND a.account_root_id = b.account_root_id AND g.created_at = t.transferred_at
            THEN ${lines("('transfer_clearing', g.unit, g.granted), ('grant_liability', g.unit, -g.granted)")} ELSE 'no transfer of its amount, unit, account and tree' END AS postings
        FROM credit_grant g LEFT JOIN grant_transfer t ON t.to_organization_id = g.organization_id AND t.to_grant_id = g.id LEFT JOIN credit_grant f ON f.organization_id = t.organization_id AND f.id = t.grant_id
        LEFT JOIN organization a ON a.id = t.organization_id LEFT JOIN organization b ON b.id = g.organization_id WHERE g.source = 'transfer' AND NOT ${GIVEN_BACK}${s.organization('g.organization_id')}),
      ${POSTED(s, 'grant_received')} ${COMPARED}`,
  },
];
