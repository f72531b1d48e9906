-- The partitions of usage with the bounds of each, but for the default one.
CREATE OR REPLACE FUNCTION usage_partitions() RETURNS TABLE (partition text, first_id uuid, until_id uuid)
LANGUAGE sql STABLE
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT c.relname::text, (b.bound)[1]::uuid, (b.bound)[2]::uuid
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
  CROSS JOIN LATERAL regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''([^'']+)''\) TO \(''([^'']+)''\)') AS b(bound)
  WHERE i.inhparent = 'public.usage'::regclass AND b.bound IS NOT NULL
$$;

REVOKE ALL ON FUNCTION usage_partitions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usage_partitions TO kilotoken_definer;
