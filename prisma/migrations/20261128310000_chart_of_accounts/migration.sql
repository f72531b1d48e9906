-- Why: the chart of accounts is a table, so that a posting to an account outside of it is impossible and a grant can be paid from more than
-- one account. A grant may have several refunds, of a part each, and may be transferred inside an account tree.
-- Locks: SHARE ROW EXCLUSIVE on ledger_posting and ACCESS EXCLUSIVE on credit_grant, grant_refund and grant_adjustment, each for a moment:
-- credit_grant and grant_adjustment are read once and not written; grant_refund, which has a row a refund, is written anew.
-- The release before goes on: what it writes needs no new column, and what it reads keeps its meaning.

-- ── The chart ──────────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE ledger_account (
  name        text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_]{0,62}$'),
  kind        text NOT NULL CHECK (kind IN ('asset', 'liability', 'income', 'expense', 'equity', 'clearing')),
  normal_side text NOT NULL CHECK (normal_side IN ('debit', 'credit')),
  meaning     text NOT NULL,
  CONSTRAINT side_of_kind CHECK (CASE kind WHEN 'asset' THEN normal_side = 'debit' WHEN 'liability' THEN normal_side = 'credit' ELSE true END)
);
INSERT INTO ledger_account (name, kind, normal_side, meaning) VALUES
  ('cash_clearing',      'clearing',  'debit',  'customers'' payments for grants, until a bank statement is matched with them'),
  ('stripe_clearing',    'clearing',  'debit',  'payments that Stripe collected, until it pays them out'),
  ('invoice_receivable', 'asset',     'debit',  'invoices on terms that customers have not paid yet'),
  ('receivable',         'asset',     'debit',  'use that was rated higher later and that no grant could pay'),
  ('transfer_clearing',  'clearing',  'debit',  'grants on their way between organizations of one tree; zero over the tree'),
  ('grant_liability',    'liability', 'credit', 'the part of their grants that customers have not used'),
  ('vendor_payable',     'liability', 'credit', 'our debt for lanes'),
  ('usage_revenue',      'income',    'credit', 'use at its price'),
  ('breakage_revenue',   'income',    'credit', 'grants that expired unused'),
  ('promotion_expense',  'expense',   'debit',  'grants that we gave away'),
  ('manual_adjustment',  'expense',   'debit',  'additions to grants by hand, less reductions'),
  ('uncollected',        'expense',   'debit',  'use above its hold: our loss, with an alarm'),
  ('vendor_cost',        'expense',   'debit',  'the cost of lanes'),
  ('rounding',           'expense',   'debit',  'the rest that rounding an invoice to its currency leaves');

-- Which accounts a transaction of a kind may post to, and on which side.
CREATE TABLE ledger_rule (
  kind    text NOT NULL,
  account text NOT NULL REFERENCES ledger_account (name),
  side    text NOT NULL CHECK (side IN ('debit', 'credit', 'both')),
  PRIMARY KEY (kind, account)
);
INSERT INTO ledger_rule (kind, account, side) VALUES
  ('grant_issued',      'grant_liability',    'credit'),
  ('grant_issued',      'cash_clearing',      'debit'),
  ('grant_issued',      'stripe_clearing',    'debit'),
  ('grant_issued',      'invoice_receivable', 'debit'),
  ('grant_issued',      'promotion_expense',  'debit'),
  ('grant_refunded',    'grant_liability',    'debit'),
  ('grant_refunded',    'cash_clearing',      'credit'),
  ('grant_refunded',    'stripe_clearing',    'credit'),
  ('grant_refunded',    'invoice_receivable', 'credit'),
  ('grant_refunded',    'promotion_expense',  'credit'),
  ('grant_adjusted',    'grant_liability',    'both'),
  ('grant_adjusted',    'manual_adjustment',  'both'),
  ('grant_adjusted',    'promotion_expense',  'both'),
  ('grant_transferred', 'grant_liability',    'debit'),
  ('grant_transferred', 'transfer_clearing',  'credit'),
  ('grant_received',    'transfer_clearing',  'debit'),
  ('grant_received',    'grant_liability',    'credit'),
  ('grant_expired',     'grant_liability',    'debit'),
  ('grant_expired',     'breakage_revenue',   'credit'),
  ('usage_rated',       'grant_liability',    'debit'),
  ('usage_rated',       'uncollected',        'debit'),
  ('usage_rated',       'usage_revenue',      'credit'),
  ('usage_rated',       'vendor_cost',        'debit'),
  ('usage_rated',       'vendor_payable',     'credit'),
  ('rating_adjusted',   'grant_liability',    'both'),
  ('rating_adjusted',   'receivable',         'both'),
  ('rating_adjusted',   'uncollected',        'both'),
  ('rating_adjusted',   'usage_revenue',      'both'),
  ('invoice_rounded',   'rounding',           'both'),
  ('invoice_rounded',   'cash_clearing',      'both'),
  ('invoice_rounded',   'invoice_receivable', 'both');

-- Which accounts may stand against a grant of a source, when it is issued and when it is refunded, and the one that does unless told
-- otherwise. A transferred grant keeps the account of the grant that it came from.
CREATE TABLE grant_counter_account (
  source     text NOT NULL,
  account    text NOT NULL REFERENCES ledger_account (name),
  is_default boolean NOT NULL,
  PRIMARY KEY (source, account)
);
CREATE UNIQUE INDEX grant_counter_account_default ON grant_counter_account (source) WHERE is_default;
INSERT INTO grant_counter_account (source, account, is_default)
  SELECT source, account, account = 'cash_clearing'
  FROM unnest(ARRAY['package', 'prepaid', 'allowance', 'commitment', 'credit_line', 'transfer']) AS source,
    unnest(ARRAY['cash_clearing', 'stripe_clearing', 'invoice_receivable']) AS account
  UNION ALL SELECT source, 'promotion_expense', true FROM unnest(ARRAY['promotion', 'free_quota', 'sla_credit']) AS source
  UNION ALL VALUES ('transfer', 'promotion_expense', false);

-- Checked for new postings from here on; the next migration proves those that are there.
ALTER TABLE ledger_posting ADD CONSTRAINT ledger_posting_account_fkey FOREIGN KEY (account) REFERENCES ledger_account (name) NOT VALID;

-- ── Grants ─────────────────────────────────────────────────────────────────────────────────────────────────────
-- Null, as in every grant of the release before: the default of the grant's source.
ALTER TABLE credit_grant ADD COLUMN counter_account text,
  ADD CONSTRAINT credit_grant_counter_account_fkey FOREIGN KEY (source, counter_account) REFERENCES grant_counter_account (source, account);

-- ── Refunds ────────────────────────────────────────────────────────────────────────────────────────────────────
-- `asked` null: all that remains, which closes the grant. `amount`: refunded so far. `refunded_at`: when the refund ended, in full or with
-- less than was asked because requests had used it meanwhile. `counter_account` null: the grant's.
ALTER TABLE grant_refund DROP CONSTRAINT grant_refund_pkey;
ALTER TABLE grant_refund DROP CONSTRAINT amount_when_refunded;
ALTER TABLE grant_refund
  ADD COLUMN id uuid NOT NULL DEFAULT uuidv7(),
  ADD COLUMN asked numeric(38, 12) CHECK (asked > 0 AND asked <> 'NaN'),
  ADD COLUMN counter_account text REFERENCES ledger_account (name),
  ADD PRIMARY KEY (organization_id, id),
  ADD CONSTRAINT amount_when_refunded CHECK (refunded_at IS NULL OR amount IS NOT NULL),
  ADD CONSTRAINT no_more_than_asked CHECK (amount <= asked);
CREATE UNIQUE INDEX grant_refund_in_full ON grant_refund (organization_id, grant_id) WHERE asked IS NULL;
CREATE INDEX grant_refund_by_grant ON grant_refund (organization_id, grant_id);

-- ── Adjustments ────────────────────────────────────────────────────────────────────────────────────────────────
-- Null: manual_adjustment, or none where use was rated again.
ALTER TABLE grant_adjustment ADD COLUMN counter_account text REFERENCES ledger_account (name);

-- ── Transfers ──────────────────────────────────────────────────────────────────────────────────────────────────
-- An amount of a grant that became a grant of another organization of the same tree. The row belongs to the organization that gave. No
-- foreign key leads to the received grant: a reference never leaves its organization, which may live in another cell.
CREATE TABLE grant_transfer (
  organization_id    uuid NOT NULL,
  id                 uuid NOT NULL,
  grant_id           uuid NOT NULL,
  to_organization_id uuid NOT NULL,
  to_grant_id        uuid NOT NULL,
  amount             numeric(38, 12) NOT NULL CHECK (amount > 0 AND amount <> 'NaN'),
  reference          text NOT NULL,
  reason             text NOT NULL,
  transferred_at     timestamptz NOT NULL DEFAULT kt_now(),
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, reference),
  UNIQUE (to_organization_id, to_grant_id),
  FOREIGN KEY (organization_id, grant_id) REFERENCES credit_grant (organization_id, id),
  CONSTRAINT to_another_organization CHECK (to_organization_id <> organization_id)
);
CREATE INDEX grant_transfer_by_grant ON grant_transfer (organization_id, grant_id);
