-- Trigger: seals each usage row in the transaction that writes it, whatever writes it, so that reconcile names one that is changed, deleted or
-- forged since. Version 1 is a SHA-256 over all columns, times as seconds since 1970, of which the first 8 bytes are kept; reconcile makes it
-- again by a text of its own (libs/reconcile/src/seal-checks.ts). A column that is added needs a version 2 there and here.
CREATE OR REPLACE FUNCTION usage_seal_put() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  INSERT INTO usage_seal (session_id, flush, version, organization_ids, usage_ids, attempts, digests)
    SELECT u.session_id, u.flush, 1, array_agg(u.organization_id), array_agg(u.id), array_agg(u.attempt), array_agg(substr(sha256(convert_to(ROW(
      u.organization_id, u.id, u.attempt, u.session_id, u.flush, u.shard, u.account_root_id, u.project_id, u.api_key_id, u.end_user, u.tags, u.operation, u.mode, u.stream,
      u.model, u.tier_asked, u.tier_served, u.outcome, u.status, u.error_code, u.finish_reason, u.lane_id, u.upstream_model, u.upstream_id, u.upstream_status, u.counts,
      u.estimated, u.context_tokens, u.max_tokens, u.price_version_id, u.unit, u.hold, u.rated, u.charge, u.allocations, u.portions, u.cost, u.cost_currency, u.clock_offset_ms,
      extract(epoch FROM u.admitted_at), extract(epoch FROM u.dispatched_at), extract(epoch FROM u.first_token_at), extract(epoch FROM u.finished_at),
      extract(epoch FROM u.settled_at))::text, 'UTF8')), 1, 8))
    FROM written u GROUP BY 1, 2;
  RETURN NULL;
END $$;

REVOKE ALL ON FUNCTION usage_seal_put FROM PUBLIC;

CREATE TRIGGER usage_sealed AFTER INSERT ON usage REFERENCING NEW TABLE AS written
  FOR EACH STATEMENT EXECUTE FUNCTION usage_seal_put();
