-- The flushes of a rating, for tracing it.
CREATE OR REPLACE FUNCTION rating_flushes(p_rating uuid) RETURNS TABLE (session_id uuid, flush bigint, shard smallint)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT f.session_id, f.flush, f.shard FROM rated_flush f WHERE f.rating_id = p_rating
$$;

ALTER FUNCTION rating_flushes OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION rating_flushes FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rating_flushes TO kilotoken_metering, kilotoken_app;
