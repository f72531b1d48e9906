-- Owns the SECURITY DEFINER functions, which cross organizations, and no table. It cannot log in. These are the tables that its functions
-- read and write.
GRANT USAGE ON SCHEMA public TO kilotoken_definer;

GRANT SELECT ON lane, model, price_book, price_version, rate TO kilotoken_definer;
GRANT SELECT, UPDATE ON config_version TO kilotoken_definer;
GRANT SELECT, INSERT, DELETE ON config_change TO kilotoken_definer;
GRANT SELECT, INSERT, UPDATE ON lane_cost, organization_price_book TO kilotoken_definer;
GRANT INSERT ON opened_request, usage_seal TO kilotoken_definer;
GRANT SELECT ON notice_address, webhook_secret TO kilotoken_definer;
GRANT SELECT, UPDATE ON balance_notice, webhook_endpoint TO kilotoken_definer;
GRANT SELECT, INSERT, UPDATE ON nightly_run, outbox_position TO kilotoken_definer;
GRANT SELECT, INSERT, UPDATE, DELETE ON outbox_event, outbox_job TO kilotoken_definer;
GRANT SELECT, INSERT, UPDATE ON credit_grant TO kilotoken_definer;
GRANT SELECT, INSERT, UPDATE ON lease, session, session_heartbeat TO kilotoken_definer;
GRANT SELECT, INSERT, UPDATE, DELETE ON open_request, refused_ask TO kilotoken_definer;
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_claim, idempotency_tally TO kilotoken_definer;
GRANT SELECT ON api_key, organization, project TO kilotoken_definer;
GRANT SELECT, INSERT, UPDATE ON api_key_use TO kilotoken_definer;
GRANT SELECT, INSERT ON ledger_posting, ledger_transaction TO kilotoken_definer;
GRANT SELECT, INSERT ON grant_adjustment, grant_transfer TO kilotoken_definer;
GRANT SELECT, INSERT, UPDATE ON grant_refund TO kilotoken_definer;
GRANT SELECT ON grant_counter_account, ledger_account, ledger_rule TO kilotoken_definer;
GRANT SELECT, INSERT, UPDATE ON ledger_chain TO kilotoken_definer;
GRANT SELECT ON usage_limit TO kilotoken_definer;
GRANT SELECT, INSERT, UPDATE, DELETE ON limit_ask, limit_counter, limit_slice TO kilotoken_definer;
GRANT SELECT, INSERT ON rated_batch, rated_flush, usage, usage_quarantine TO kilotoken_definer;
GRANT SELECT, INSERT, UPDATE ON rating_counter, rating_position TO kilotoken_definer;
GRANT SELECT, INSERT, UPDATE, DELETE ON unrated_batch TO kilotoken_definer;
GRANT SELECT ON database_mark TO kilotoken_definer;
GRANT INSERT ON control_change TO kilotoken_definer;
GRANT SELECT ON usage_archive TO kilotoken_definer;
GRANT SELECT, INSERT ON rollup_tag TO kilotoken_definer;
GRANT SELECT, UPDATE ON rollup_horizon TO kilotoken_definer;
GRANT SELECT, INSERT, DELETE ON unrolled_batch TO kilotoken_definer;
GRANT SELECT, INSERT, UPDATE, DELETE ON usage_rollup TO kilotoken_definer;
GRANT SELECT ON burn_table, burn_weight, pack_unit TO kilotoken_definer;
