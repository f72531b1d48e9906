-- Why: every posting that is there names an account of the chart; the migration before has the new ones checked.
-- Locks: SHARE UPDATE EXCLUSIVE on ledger_posting while it is read once, about a second for a million postings: reading and posting go on.
ALTER TABLE ledger_posting VALIDATE CONSTRAINT ledger_posting_account_fkey;
