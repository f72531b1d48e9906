-- Proves the books: the nightly job's second login. It reads what proofs read, of all organizations, and writes only its findings.
GRANT USAGE ON SCHEMA public TO kilotoken_auditor;

GRANT SELECT ON price_version, rate TO kilotoken_auditor;
GRANT SELECT ON credit_grant, lease, open_request, session, session_heartbeat TO kilotoken_auditor;
GRANT SELECT ON organization TO kilotoken_auditor;
GRANT SELECT ON grant_adjustment, grant_counter_account, grant_refund, grant_transfer, ledger_account, ledger_chain, ledger_posting, ledger_rule,
  ledger_transaction TO kilotoken_auditor;
GRANT SELECT ON quarantine_step, rated_batch, rated_flush, rating_adjustment, rating_position, unrated_batch, usage, usage_default,
  usage_quarantine TO kilotoken_auditor;
GRANT SELECT ON _prisma_migrations, database_mark TO kilotoken_auditor;
GRANT SELECT, INSERT ON reconcile_run TO kilotoken_auditor;
GRANT SELECT ON usage_archive, usage_archive_total TO kilotoken_auditor;
GRANT SELECT ON burn_table, burn_weight, pack_unit TO kilotoken_auditor;
