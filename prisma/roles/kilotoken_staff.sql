-- Staff's reading of all organizations. It cannot log in: the api becomes it for one reading transaction at a time. It writes nothing and sees no
-- secret: no hash of a key or token, no secret of a webhook, no password, no session.
GRANT USAGE ON SCHEMA public TO kilotoken_staff;
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_auth_members WHERE roleid = 'kilotoken_staff'::regrole AND member = 'kilotoken_api'::regrole) THEN
    GRANT kilotoken_staff TO kilotoken_api WITH INHERIT FALSE, SET TRUE;
  END IF;
EXCEPTION WHEN unique_violation THEN NULL;
END $$;

GRANT SELECT ON burn_table, burn_weight, lane, lane_cost, model, pack_unit, price_book, price_version, rate TO kilotoken_staff;
GRANT SELECT ON balance_notice, notice_address, outbox_event, outbox_job, webhook_endpoint TO kilotoken_staff;
GRANT SELECT (organization_id, endpoint_id, id, created_at, expires_at) ON webhook_secret TO kilotoken_staff;
GRANT SELECT ON credit_grant, lease, open_request TO kilotoken_staff;
GRANT SELECT (id, app, host, pid, release, started_at, reaped_at) ON session TO kilotoken_staff;
GRANT SELECT ON session_heartbeat TO kilotoken_staff;
GRANT SELECT (organization_id, id, project_id, name, prefix, allowed_models, expires_at, revoked_at, lineage_id, created_at, unsupported_parameters,
  max_tokens_above) ON api_key TO kilotoken_staff;
GRANT SELECT ON api_key_use, organization, project TO kilotoken_staff;
GRANT SELECT ON grant_adjustment, grant_counter_account, grant_refund, grant_transfer, ledger_account, ledger_chain, ledger_posting,
  ledger_rule, ledger_transaction TO kilotoken_staff;
GRANT SELECT ON limit_counter, usage_limit TO kilotoken_staff;
GRANT SELECT ON quarantine_step, rating_adjustment, usage, usage_quarantine TO kilotoken_staff;
GRANT SELECT ON approval, approval_threshold, audit_entry, budget_alert, transfer_rule TO kilotoken_staff;
GRANT SELECT ON control_change, database_mark, nightly_run, reconcile_run TO kilotoken_staff;
GRANT SELECT ON rollup_horizon, rollup_tag, usage_archive, usage_archive_total, usage_rollup TO kilotoken_staff;
GRANT SELECT ON membership, person TO kilotoken_staff;
GRANT SELECT (organization_id, id, email, role, invited_by, created_at, expires_at, accepted_at, accepted_by, revoked_at) ON invitation TO kilotoken_staff;
GRANT SELECT (organization_id, id, name, prefix, role, permissions, created_by, created_at, expires_at, revoked_at, last_used_at) ON service_token TO kilotoken_staff;
