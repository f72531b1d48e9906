-- The number of values of one key with their own sums, so that one key cannot take all.
CREATE OR REPLACE FUNCTION rollup_values_max() RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT 500 $$;

REVOKE ALL ON FUNCTION rollup_values_max FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rollup_values_max TO kilotoken_definer;
