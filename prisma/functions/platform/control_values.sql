-- The values of a row that may be kept for good: of the changed columns, or without p_columns of every column with a value. An unlisted
-- column may hold a secret, a person's name or an address, or no information; of an update its name is kept and its value is not. A table
-- without a list keeps no values.
CREATE OR REPLACE FUNCTION control_values(p_table text, p_row jsonb, p_columns text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
  SELECT jsonb_object_agg(c.key, CASE WHEN l.kept THEN c.value ELSE '"(not kept)"' END)
  FROM jsonb_each(p_row) c CROSS JOIN LATERAL (SELECT c.key = ANY (CASE p_table
    WHEN 'approval' THEN ARRAY['kind', 'reference', 'unit', 'amount', 'requested_by_kind', 'requested_by_id', 'expires_at', 'decision', 'decided_by_kind', 'decided_by_id', 'result']
    WHEN 'approval_threshold' THEN ARRAY['kind', 'unit', 'amount']
    WHEN 'api_key' THEN ARRAY['project_id', 'allowed_models', 'expires_at', 'revoked_at', 'lineage_id', 'unsupported_parameters', 'max_tokens_above']
    WHEN 'balance_notice' THEN ARRAY['unit', 'threshold']
    WHEN 'burn_table' THEN ARRAY['unit', 'model_id', 'effective_at']
    WHEN 'burn_weight' THEN ARRAY['token_class', 'amount', 'per']
    WHEN 'credit_grant' THEN ARRAY['unit', 'source', 'reference', 'priority', 'scope_models', 'granted', 'effective_at', 'expires_at', 'counter_account']
    WHEN 'database_mark' THEN ARRAY['kind', 'clock_shift']
    WHEN 'grant_adjustment' THEN ARRAY['grant_id', 'cause', 'reference', 'amount', 'counter_account']
    WHEN 'grant_refund' THEN ARRAY['grant_id', 'reference', 'asked', 'counter_account']
    WHEN 'grant_transfer' THEN ARRAY['grant_id', 'to_organization_id', 'to_grant_id', 'reference', 'amount']
    WHEN 'invitation' THEN ARRAY['role', 'invited_by', 'expires_at', 'accepted_at', 'accepted_by', 'revoked_at']
    WHEN 'lane' THEN ARRAY['model_id', 'position', 'kind', 'upstream_model', 'cost_currency', 'cost_per', 'cost_rates', 'capabilities', 'token_classes', 'tokenizer', 'timeouts', 'lacks',
      'drain', 'origin', 'retired_at']
    WHEN 'membership' THEN ARRAY['role']
    WHEN 'model' THEN ARRAY['context_window', 'max_output_tokens', 'origin', 'image_tokens', 'unsupported_parameters', 'max_tokens_above', 'retired_at']
    WHEN 'organization' THEN ARRAY['slug', 'account_root_id', 'parent_id', 'kind', 'price_book_id', 'time_zone', 'status']
    WHEN 'pack_unit' THEN ARRAY['decimals', 'rounding']
    WHEN 'person' THEN ARRAY['locale', 'disabled_at', 'erased_at']
    WHEN 'price_book' THEN ARRAY['name']
    WHEN 'price_version' THEN ARRAY['price_book_id', 'model_id', 'currency', 'effective_at']
    WHEN 'project' THEN ARRAY['archived_at']
    WHEN 'quarantine_step' THEN ARRAY['step']
    WHEN 'rate' THEN ARRAY['token_class', 'amount', 'per']
    WHEN 'service_token' THEN ARRAY['role', 'permissions', 'created_by', 'expires_at', 'revoked_at']
    WHEN 'transfer_rule' THEN ARRAY['child_id', 'unit', 'threshold', 'amount', 'cap_per_month']
    WHEN 'usage_limit' THEN ARRAY['subject_kind', 'subject_id', 'measure', 'unit', 'window_kind', 'window_ms', 'amount', 'mode', 'alert_percents']
    WHEN 'webhook_endpoint' THEN ARRAY['kinds', 'disabled_at', 'disabled_reason']
    WHEN 'webhook_secret' THEN ARRAY['expires_at']
    ELSE '{}' END) AS kept) l
  WHERE CASE WHEN p_columns IS NULL THEN l.kept AND c.value <> 'null' ELSE c.key = ANY (p_columns) END
$$;

REVOKE ALL ON FUNCTION control_values FROM PUBLIC;
GRANT EXECUTE ON FUNCTION control_values TO kilotoken_definer;
