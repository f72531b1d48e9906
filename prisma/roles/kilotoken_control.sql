-- The control plane: API, console and `kt`. It reads the organization that its transaction names, or all where its session says that it is
-- an operator's; it writes the rows of the organization that its transaction names, and the catalogue. Every write names an actor.
GRANT USAGE ON SCHEMA public TO kilotoken_control;

GRANT SELECT, UPDATE ON config_version TO kilotoken_control;
GRANT SELECT, INSERT, UPDATE ON lane, model, price_book TO kilotoken_control;
GRANT SELECT, INSERT ON burn_table, burn_weight, pack_unit, price_version, rate TO kilotoken_control;
GRANT SELECT ON outbox_event TO kilotoken_control;
GRANT SELECT, UPDATE (status, attempts, next_at, handed_at, claim_id, claimed_until, finished_at) ON outbox_job TO kilotoken_control;
GRANT SELECT, INSERT, UPDATE, DELETE ON balance_notice, notice_address, webhook_endpoint TO kilotoken_control;
GRANT SELECT (organization_id, endpoint_id, id, created_at, expires_at), INSERT, UPDATE (expires_at), DELETE ON webhook_secret TO kilotoken_control;
GRANT SELECT ON credit_grant, lease, open_request TO kilotoken_control;
GRANT SELECT, INSERT, UPDATE ON api_key, organization, project TO kilotoken_control;
GRANT SELECT ON api_key_use TO kilotoken_control;
GRANT SELECT ON grant_adjustment, grant_counter_account, grant_refund, grant_transfer, ledger_account, ledger_chain, ledger_posting,
  ledger_rule, ledger_transaction TO kilotoken_control;
GRANT SELECT ON limit_counter TO kilotoken_control;
GRANT SELECT, INSERT, UPDATE, DELETE ON usage_limit TO kilotoken_control;
GRANT SELECT ON quarantine_step, rating_adjustment, unrated_batch, usage, usage_quarantine TO kilotoken_control;
GRANT SELECT ON audit_entry, control_change, database_mark TO kilotoken_control;
GRANT SELECT, INSERT, UPDATE (decision, decided_by_kind, decided_by_id, decided_at, reason, result) ON approval TO kilotoken_control;
GRANT SELECT, INSERT, UPDATE, DELETE ON approval_threshold, transfer_rule TO kilotoken_control;
GRANT SELECT ON budget_alert TO kilotoken_control;
GRANT SELECT ON rollup_horizon, rollup_tag, unrolled_batch, usage_archive, usage_archive_total, usage_rollup TO kilotoken_control;
GRANT SELECT, INSERT, UPDATE, DELETE ON membership TO kilotoken_control;
GRANT SELECT (organization_id, id, email, role, invited_by, created_at, expires_at, accepted_at, accepted_by, revoked_at), INSERT,
  UPDATE (revoked_at) ON invitation TO kilotoken_control;
GRANT SELECT (organization_id, id, name, prefix, role, permissions, created_by, created_at, expires_at, revoked_at, last_used_at), INSERT,
  UPDATE (name, revoked_at) ON service_token TO kilotoken_control;
GRANT SELECT ON person TO kilotoken_control;
