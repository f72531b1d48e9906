-- The API. It reads the organizations that its transaction names, and the catalogue; it writes the rows of one of them, as the control plane
-- does, and every write names an actor. What staff read of all organizations it reads as kilotoken_staff; how people sign in, as kilotoken_sign_in.
GRANT USAGE ON SCHEMA public TO kilotoken_api;

GRANT SELECT, UPDATE ON config_version TO kilotoken_api;
GRANT SELECT, INSERT, UPDATE ON lane, model, price_book TO kilotoken_api;
GRANT SELECT, INSERT ON burn_table, burn_weight, pack_unit, price_version, rate TO kilotoken_api;
GRANT SELECT ON outbox_event TO kilotoken_api;
GRANT SELECT, UPDATE (status, attempts, next_at, handed_at, claim_id, claimed_until, finished_at) ON outbox_job TO kilotoken_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON balance_notice, notice_address, webhook_endpoint TO kilotoken_api;
GRANT SELECT (organization_id, endpoint_id, id, created_at, expires_at), INSERT, UPDATE (expires_at), DELETE ON webhook_secret TO kilotoken_api;
GRANT SELECT ON credit_grant, lease, open_request TO kilotoken_api;
GRANT SELECT, INSERT, UPDATE ON api_key, organization, project TO kilotoken_api;
GRANT SELECT ON api_key_use TO kilotoken_api;
GRANT SELECT ON grant_adjustment, grant_counter_account, grant_refund, grant_transfer, ledger_account, ledger_chain, ledger_posting,
  ledger_rule, ledger_transaction TO kilotoken_api;
GRANT SELECT ON limit_counter TO kilotoken_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON usage_limit TO kilotoken_api;
GRANT SELECT ON quarantine_step, rating_adjustment, usage, usage_quarantine TO kilotoken_api;
GRANT SELECT ON approval_threshold, audit_entry, budget_alert, control_change, database_mark TO kilotoken_api;
GRANT SELECT, INSERT, UPDATE (decision, decided_by_kind, decided_by_id, decided_at, reason, result) ON approval TO kilotoken_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON transfer_rule TO kilotoken_api;
GRANT SELECT ON rollup_horizon, rollup_tag, usage_archive, usage_archive_total, usage_rollup TO kilotoken_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON membership TO kilotoken_api;
GRANT SELECT (organization_id, id, email, role, invited_by, created_at, expires_at, accepted_at, accepted_by, revoked_at), INSERT,
  UPDATE (revoked_at) ON invitation TO kilotoken_api;
GRANT SELECT (organization_id, id, name, prefix, role, permissions, created_by, created_at, expires_at, revoked_at, last_used_at), INSERT,
  UPDATE (name, revoked_at) ON service_token TO kilotoken_api;
GRANT SELECT ON person TO kilotoken_api;
