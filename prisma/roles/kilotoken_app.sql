-- The rights of gateway, metering and backoffice together: of installations without a login for each service.
GRANT USAGE ON SCHEMA public TO kilotoken_app;

GRANT SELECT ON config_version, lane, model, price_book, price_version, rate TO kilotoken_app;
GRANT SELECT ON balance_notice, notice_address, outbox_event, outbox_job, webhook_endpoint TO kilotoken_app;
GRANT SELECT ON credit_grant, lease, open_request TO kilotoken_app;
GRANT SELECT ON idempotency_claim, idempotency_tally TO kilotoken_app;
GRANT SELECT ON api_key, api_key_use, organization, project TO kilotoken_app;
GRANT SELECT ON grant_adjustment, grant_refund, grant_transfer, ledger_chain, ledger_posting, ledger_transaction TO kilotoken_app;
GRANT SELECT ON limit_counter, limit_slice, usage_limit TO kilotoken_app;
GRANT SELECT ON quarantine_step, rating_adjustment, usage, usage_quarantine TO kilotoken_app;
GRANT SELECT ON database_mark TO kilotoken_app;
GRANT SELECT ON rollup_horizon, rollup_tag, usage_archive_total, usage_rollup TO kilotoken_app;
GRANT SELECT ON burn_table, burn_weight, pack_unit TO kilotoken_app;
