import { damage, type Damage } from './damage.js';

/** Makes every chain anew after a forgery, as somebody would who knows how it is made: its hashes then tell nothing. */
const RECHAIN = `;
  DO $rechain$ DECLARE e record; o uuid; n bigint; h bytea; p bytea; BEGIN
    FOR e IN SELECT t.*, (SELECT string_agg(ledger_line(x.line, x.account, x.unit, x.amount), E'\\n' ORDER BY x.line) FROM ledger_posting x WHERE x.organization_id = t.organization_id AND x.transaction_id = t.id) AS postings
        FROM ledger_transaction t ORDER BY t.organization_id, t.position LOOP
      IF e.organization_id IS DISTINCT FROM o THEN o := e.organization_id; n := 0; h := ledger_genesis(); END IF;
      n := n + 1; p := h; h := ledger_hash(o, n, e.id, e.kind, e.source_id, e.posted_at, e.postings, p);
      UPDATE ledger_transaction SET position = 1000000 + n, previous_hash = p, hash = h WHERE organization_id = o AND id = e.id;
      UPDATE ledger_chain SET position = n, hash = h WHERE organization_id = o;
    END LOOP;
    UPDATE ledger_transaction SET position = position - 1000000;
  END $rechain$`;

const rechained = (what: string, sql: string, check: string, ...names: readonly string[]): Damage => damage(`${what}, and its chain made anew`, sql + RECHAIN, check, ...names);
const account = (what: string, transaction: string, from: string, to: string, check: string, ...names: readonly string[]): Damage =>
  rechained(what, `UPDATE ledger_posting SET account = '${to}' WHERE transaction_id = ${transaction} AND account = '${from}'`, check, ...names);
const posted = (what: string, kind: string, source: string, debit: string, credit: string, amount: string, check: string, ...names: readonly string[]): Damage =>
  damage(what, `INSERT INTO ledger_transaction (organization_id, id, kind, source_id, position, previous_hash, hash) VALUES ($parent, '01920000-0000-7000-8000-000000000017', '${kind}', ${source}, 900000, '', '');
    INSERT INTO ledger_posting VALUES ($parent, '01920000-0000-7000-8000-000000000017', 1, '${debit}', 'USD', ${amount}), ($parent, '01920000-0000-7000-8000-000000000017', 2, '${credit}', 'USD', -${amount})${RECHAIN}`, check, ...names);

export const ledgerDamages: readonly Damage[] = [
  account('a purchase posted as a gift', '$packageIssued', 'cash_clearing', 'promotion_expense', 'grant-issued', '$package', 'promotion_expense'),
  account('a gift posted as a purchase', '$promotionIssued', 'promotion_expense', 'cash_clearing', 'grant-issued', '$promotion', 'cash_clearing'),
  account('a refund posted to another account', '$refundedTransaction', 'cash_clearing', 'promotion_expense', 'grant-refunded', '$refunded'),
  account('an expiry posted as revenue of use', '$expiredTransaction', 'breakage_revenue', 'usage_revenue', 'grant-expired', '$free_quota'),
  account('an adjustment by hand posted as cash', '$adjustedTransaction', 'manual_adjustment', 'cash_clearing', 'grant-adjustments', '$package'),
  account('an adjustment of a rating posted as breakage', '$loweredTransaction', 'usage_revenue', 'breakage_revenue', 'rating-adjusted', '$lowered'),
  account('vendor cost posted as a receivable', '$ratedTransaction', 'vendor_cost', 'receivable', 'rating-posted', '$rating', 'vendor_cost'),
  account('uncollected use posted as revenue', '$ratedTransaction', 'uncollected', 'usage_revenue', 'rating-posted', '$rating', 'uncollected'),
  rechained('an issue of another amount', 'UPDATE ledger_posting SET amount = amount * 2 WHERE transaction_id = $packageIssued', 'grant-issued', '$package', '1000'),
  rechained('an issue in another unit', "UPDATE ledger_posting SET unit = 'EUR' WHERE transaction_id = $packageIssued", 'grant-issued', '$package', 'EUR'),
  rechained('an issue of another grant', "UPDATE ledger_transaction SET source_id = $closing || '0' WHERE id = $packageIssued", 'grant-issued', '$package'),
  rechained('an issue of another month', "UPDATE ledger_transaction SET posted_at = posted_at - interval '1 month' WHERE id = $packageIssued", 'grant-issued', '$package'),
  rechained('an issue made an adjustment', "UPDATE ledger_transaction SET kind = 'grant_adjusted' WHERE id = $packageIssued", 'grant-adjustments', '$packageIssued'),
  rechained('an issue deleted', 'DELETE FROM ledger_posting WHERE transaction_id = $packageIssued; DELETE FROM ledger_transaction WHERE id = $packageIssued', 'grant-issued', '$package', 'no transaction'),
  rechained('an issue posted twice', "INSERT INTO ledger_transaction SELECT organization_id, '01920000-0000-7000-8000-000000000006', kind, source_id || '-again', posted_at, position + 1000, hash, hash FROM ledger_transaction WHERE id = $packageIssued; INSERT INTO ledger_posting SELECT organization_id, '01920000-0000-7000-8000-000000000006', line, account, unit, amount FROM ledger_posting WHERE transaction_id = $packageIssued", 'grant-issued', '01920000-0000-7000-8000-000000000006'),
  rechained('a refund deleted', 'DELETE FROM ledger_posting WHERE transaction_id = $refundedTransaction; DELETE FROM ledger_transaction WHERE id = $refundedTransaction', 'grant-refunded', '$refunded'),
  rechained('a refund of another month', "UPDATE ledger_transaction SET posted_at = posted_at - interval '1 month' WHERE id = $refundedTransaction", 'grant-refunded', '$refunded'),
  rechained('an expiry deleted', 'DELETE FROM ledger_posting WHERE transaction_id = $expiredTransaction; DELETE FROM ledger_transaction WHERE id = $expiredTransaction', 'grant-expired', '$free_quota'),
  rechained('an expiry before its grant ended', "UPDATE ledger_transaction SET posted_at = posted_at - interval '1 month' WHERE id = $expiredTransaction", 'grant-expired', '$free_quota'),
  rechained('an adjustment of another month', "UPDATE ledger_transaction SET posted_at = posted_at - interval '1 month' WHERE id = $adjustedTransaction", 'grant-adjustments', '$package'),
  rechained('an adjustment of a rating deleted', 'DELETE FROM ledger_posting WHERE transaction_id = $loweredTransaction; DELETE FROM ledger_transaction WHERE id = $loweredTransaction', 'rating-adjusted', '$lowered', 'not posted'),
  rechained('a rating posted in another month', "UPDATE ledger_transaction SET posted_at = posted_at - interval '1 month' WHERE id = $ratedTransaction", 'rating-period', '$rating'),
  rechained('a transaction before the one before it', "UPDATE ledger_transaction SET posted_at = posted_at - interval '1 month' WHERE id = $loweredTransaction", 'ledger-period', '$loweredTransaction'),
  rechained('a rating’s use posted with another amount', "UPDATE ledger_posting SET amount = amount + sign(amount) WHERE transaction_id = $ratedTransaction AND account IN ('grant_liability', 'usage_revenue')", 'rating-posted', '$rating', '$parent', 'grant_liability'),
  rechained('a rating’s vendor cost posted with another amount', "UPDATE ledger_posting SET amount = amount + sign(amount) WHERE transaction_id = $ratedTransaction AND account LIKE 'vendor%'", 'rating-posted', '$rating', 'vendor_payable'),
  rechained('a rating’s use posted in another unit', "UPDATE ledger_posting SET unit = 'EUR' WHERE transaction_id = $ratedTransaction", 'rating-posted', '$rating', 'EUR'),
  rechained('a rating’s transaction deleted', 'DELETE FROM ledger_posting WHERE transaction_id = $ratedTransaction; DELETE FROM ledger_transaction WHERE id = $ratedTransaction', 'rating-posted', '$rating'),
  rechained('a rating posted to another organization', "DELETE FROM ledger_posting p USING ledger_transaction t WHERE t.id = p.transaction_id AND t.organization_id = $other AND t.source_id = $rating; DELETE FROM ledger_transaction WHERE organization_id = $other AND source_id = $rating; UPDATE ledger_transaction SET organization_id = $other, position = position + 1000 WHERE id = $ratedTransaction; UPDATE ledger_posting SET organization_id = $other WHERE transaction_id = $ratedTransaction", 'rating-posted', '$rating', '$other'),
  rechained('use of a partition that has left, posted with another amount', "UPDATE ledger_posting p SET amount = amount + sign(amount) FROM ledger_transaction t WHERE t.id = p.transaction_id AND t.source_id = $goneRating AND p.account IN ('grant_liability', 'usage_revenue') AND p.organization_id = $child", 'usage-posted', '$child', 'grant_liability'),
  posted('cash and revenue from nowhere', 'manual', "'x-1'", 'cash_clearing', 'usage_revenue', '500', 'ledger-kinds', 'x-1', 'manual'),
  posted('a vendor’s bill from nowhere', 'vendor_billed', "'x-2'", 'vendor_cost', 'vendor_payable', '500', 'ledger-kinds', 'x-2'),
  posted('a rating that never was', 'usage_rated', "'01920000-0000-7000-8000-000000000007'", 'vendor_cost', 'vendor_payable', '500', 'rating-posted', '01920000-0000-7000-8000-000000000007', 'vendor_cost'),
  posted('a rating without an id', 'usage_rated', "'x-3'", 'uncollected', 'usage_revenue', '5', 'rating-posted', 'x-3'),
  posted('an issue of no grant', 'grant_issued', "'x-4'", 'cash_clearing', 'promotion_expense', '5', 'grant-issued', 'x-4'),
  posted('an expiry of no grant', 'grant_expired', "'x-5'", 'cash_clearing', 'breakage_revenue', '5', 'grant-expired', 'x-5'),
  posted('a refund of no grant', 'grant_refunded', "'x-6'", 'promotion_expense', 'cash_clearing', '5', 'grant-refunded', 'x-6'),
  posted('an adjustment without a row', 'grant_adjusted', "'x-7'", 'manual_adjustment', 'cash_clearing', '5', 'grant-adjustments', 'x-7'),
  posted('an adjustment of a rating without a row', 'rating_adjusted', "'x-8'", 'uncollected', 'usage_revenue', '5', 'rating-adjusted', 'x-8'),
  posted('an invoice’s rounding that is none', 'invoice_rounded', "'x-9'", 'rounding', 'cash_clearing', '5', 'ledger-kinds', 'x-9'),
  posted('an invoice’s rounding of a liability', 'invoice_rounded', "'x-10'", 'rounding', 'grant_liability', '0.001', 'ledger-kinds', 'x-10', 'grant_liability'),
  posted('a liability from nowhere', 'manual', "'x-11'", 'cash_clearing', 'grant_liability', '5', 'ledger-grants', '$parent', 'grant_liability'),
  damage('a posting changed', 'UPDATE ledger_posting SET amount = amount + 1 WHERE transaction_id = $packageIssued AND line = 1', 'ledger-balanced', '$packageIssued'),
  damage('both postings of a transaction changed', 'UPDATE ledger_posting SET amount = amount * 2 WHERE transaction_id = $packageIssued', 'ledger-chain', '$packageIssued'),
  damage('a posting’s account changed', "UPDATE ledger_posting SET account = 'rounding' WHERE transaction_id = $packageIssued AND line = 1", 'ledger-chain', '$packageIssued'),
  damage('a posting deleted', 'DELETE FROM ledger_posting WHERE transaction_id = $packageIssued AND line = 1', 'ledger-balanced', '$packageIssued'),
  damage('a posting added', "INSERT INTO ledger_posting SELECT organization_id, transaction_id, 99, 'rounding', unit, 1 FROM ledger_posting WHERE transaction_id = $packageIssued AND line = 1", 'ledger-balanced', '$packageIssued'),
  damage('a posting of no transaction', "INSERT INTO ledger_posting VALUES ($parent, '01920000-0000-7000-8000-000000000008', 1, 'rounding', 'USD', 1)", 'references', '01920000-0000-7000-8000-000000000008'),
  damage('all postings of a transaction deleted', 'DELETE FROM ledger_posting WHERE transaction_id = $packageIssued', 'ledger-balanced', '$packageIssued', 'no posting'),
  damage('a transaction deleted from the middle of a chain', 'DELETE FROM ledger_posting WHERE transaction_id = $packageIssued; DELETE FROM ledger_transaction WHERE id = $packageIssued', 'grant-issued', '$package'),
  damage('a transaction’s kind changed', "UPDATE ledger_transaction SET kind = 'grant_given' WHERE id = $packageIssued", 'ledger-kinds', '$packageIssued'),
  damage('a transaction’s source changed', "UPDATE ledger_transaction SET source_id = 'x' WHERE id = $packageIssued", 'ledger-chain', '$packageIssued'),
  damage('a transaction’s moment changed', "UPDATE ledger_transaction SET posted_at = posted_at + interval '1 microsecond' WHERE id = $packageIssued", 'ledger-chain', '$packageIssued'),
  damage('a transaction’s hash changed', "UPDATE ledger_transaction SET hash = sha256('x') WHERE id = $packageIssued", 'ledger-chain', '$packageIssued'),
  damage('the hash before a transaction changed', "UPDATE ledger_transaction SET previous_hash = sha256('x') WHERE id = $packageIssued", 'ledger-chain', '$packageIssued'),
  damage('a transaction’s place changed', 'UPDATE ledger_transaction SET position = position + 1000 WHERE id = $packageIssued', 'ledger-chain', '$packageIssued'),
  damage('the last transaction of a chain deleted', 'DELETE FROM ledger_posting WHERE transaction_id = $raisedTransaction; DELETE FROM ledger_transaction WHERE id = $raisedTransaction', 'rating-adjusted', '$raised'),
  damage('a chain’s head moved back', 'UPDATE ledger_chain SET position = position - 1 WHERE organization_id = $parent', 'ledger-heads', '$parent'),
  damage('a chain’s head deleted', 'DELETE FROM ledger_chain WHERE organization_id = $parent', 'ledger-heads', '$parent', 'no head'),
  damage('a whole chain deleted but for its head', 'DELETE FROM ledger_posting WHERE organization_id = $other; DELETE FROM ledger_transaction WHERE organization_id = $other', 'ledger-heads', '$other'),
  damage('a whole chain deleted', 'DELETE FROM ledger_posting WHERE organization_id = $other; DELETE FROM ledger_transaction WHERE organization_id = $other; DELETE FROM ledger_chain WHERE organization_id = $other', 'grant-issued', '$otherPrepaid', 'no transaction'),
];
