-- Trigger: seals each usage row in the transaction that writes it, whichever code writes it, so that reconcile names a row that was
-- changed, deleted or forged later. Version 2 is Postgres' 64-bit hash of all columns, on which hash partitions rely. It costs a third of
-- version 1, which kept 8 bytes of a SHA-256 over the columns' text, and shows the same changes: neither stops a writer of both rows and
-- seals. The seed and the types keep an empty object, an empty array and null apart, which else have one hash. reconcile computes both
-- again (libs/reconcile/src/seal-checks.ts). A new column needs a version 3 there and here.
CREATE OR REPLACE FUNCTION usage_seal_put() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  INSERT INTO usage_seal (session_id, flush, version, organization_ids, usage_ids, attempts, digests)
    SELECT u.session_id, u.flush, 2, array_agg(u.organization_id), array_agg(u.id), array_agg(u.attempt), array_agg(int8send(hash_record_extended(ROW(
      u.organization_id, u.id, u.attempt, u.session_id, u.flush, u.shard, u.account_root_id, u.project_id, u.api_key_id, u.end_user, u.tags, u.operation, u.mode, u.stream,
      u.model, u.tier_asked, u.tier_served, u.outcome, u.status, u.error_code, u.finish_reason, u.lane_id, u.upstream_model, u.upstream_id, u.upstream_status, u.counts,
      u.estimated, u.context_tokens, u.max_tokens, u.price_version_id, u.unit, u.hold, u.rated, u.charge, u.allocations, u.portions, u.cost, u.cost_currency, u.clock_offset_ms,
      u.admitted_at, u.dispatched_at, u.first_token_at, u.finished_at, u.settled_at,
      jsonb_typeof(u.tags), jsonb_typeof(u.counts), jsonb_typeof(u.allocations), jsonb_typeof(u.portions)), 1)))
    FROM written u GROUP BY 1, 2;
  RETURN NULL;
END $$;

REVOKE ALL ON FUNCTION usage_seal_put FROM PUBLIC;

CREATE TRIGGER usage_sealed AFTER INSERT ON usage REFERENCING NEW TABLE AS written
  FOR EACH STATEMENT EXECUTE FUNCTION usage_seal_put();
