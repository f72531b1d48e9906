-- Trigger: moves each rated flush to the queue of the rollups, in the rater's transaction, whichever code rates.
CREATE OR REPLACE FUNCTION unrolled_put() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  INSERT INTO unrolled_batch (session_id, flush, shard, organization_ids, usage_ids, attempts, created_at)
    SELECT session_id, flush, shard, organization_ids, usage_ids, attempts, created_at FROM rated;
  RETURN NULL;
END $$;

REVOKE ALL ON FUNCTION unrolled_put FROM PUBLIC;
GRANT EXECUTE ON FUNCTION unrolled_put TO kilotoken_definer;

CREATE TRIGGER rated_to_unrolled AFTER DELETE ON unrated_batch REFERENCING OLD TABLE AS rated
  FOR EACH STATEMENT EXECUTE FUNCTION unrolled_put();
