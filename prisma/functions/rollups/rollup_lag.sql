-- The backlog of the rollups: waiting flushes, counted up to 10,001, and the age of the oldest of these. Flushes are taken in the order
-- of the table, so this reads the next ones.
CREATE OR REPLACE FUNCTION rollup_lag() RETURNS TABLE (batches bigint, oldest_seconds double precision)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT count(*), coalesce(extract(epoch FROM kt_now() - min(created_at)), 0)::double precision
  FROM (SELECT created_at FROM unrolled_batch LIMIT 10001) AS bounded
$$;

ALTER FUNCTION rollup_lag OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION rollup_lag FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rollup_lag TO kilotoken_metering, kilotoken_app, kilotoken_control, kilotoken_api, kilotoken_staff;
