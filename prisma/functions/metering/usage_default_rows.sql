-- The number of rows in the default partition, counted up to p_most: ids of clocks that are far off, or of months without a partition.
-- Runs as the owner of usage.
CREATE OR REPLACE FUNCTION usage_default_rows(p_most integer) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
SET lock_timeout = '500ms' AS $$
  SELECT count(*) FROM (SELECT FROM usage_default LIMIT least(p_most, 100000)) d
$$;

REVOKE ALL ON FUNCTION usage_default_rows FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usage_default_rows TO kilotoken_definer, kilotoken_metering, kilotoken_app;
