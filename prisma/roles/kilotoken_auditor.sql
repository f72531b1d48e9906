-- Proves the books: the nightly job's second login. It reads what proofs read, of all organizations, and writes only its findings.
GRANT USAGE ON SCHEMA public TO kilotoken_auditor;

GRANT SELECT ON lane, lane_cost, model, price_book, price_version, rate TO kilotoken_auditor;
GRANT SELECT ON outbox_event, outbox_job, outbox_position TO kilotoken_auditor;
GRANT SELECT ON credit_grant, lease, open_request, session, session_heartbeat TO kilotoken_auditor;
GRANT SELECT ON organization, organization_price_book, project TO kilotoken_auditor;
-- Of a key all but its hash.
GRANT SELECT (created_at, id, lineage_id, organization_id, project_id) ON api_key TO kilotoken_auditor;
GRANT SELECT ON idempotency_claim TO kilotoken_auditor;
GRANT SELECT ON limit_counter, limit_slice, usage_limit TO kilotoken_auditor;
GRANT SELECT ON grant_adjustment, grant_counter_account, grant_refund, grant_transfer, ledger_account, ledger_chain, ledger_posting, ledger_rule,
  ledger_transaction TO kilotoken_auditor;
GRANT SELECT ON opened_request, quarantine_step, rated_batch, rated_flush, rating_adjustment, rating_position, unrated_batch, usage, usage_default,
  usage_quarantine, usage_seal, usage_seal_horizon TO kilotoken_auditor;
GRANT SELECT ON audit_chain, audit_entry TO kilotoken_auditor;
GRANT SELECT ON _prisma_migrations, database_mark TO kilotoken_auditor;
GRANT SELECT, INSERT ON reconcile_run TO kilotoken_auditor;
GRANT SELECT ON rollup_horizon, rollup_tag, unrolled_batch, usage_archive, usage_archive_total, usage_rollup TO kilotoken_auditor;
GRANT SELECT ON burn_table, burn_weight, pack_unit TO kilotoken_auditor;
