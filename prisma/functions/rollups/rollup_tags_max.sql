-- The number of tags of an organization and day with their own sums.
CREATE OR REPLACE FUNCTION rollup_tags_max() RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT 1000 $$;

REVOKE ALL ON FUNCTION rollup_tags_max FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rollup_tags_max TO kilotoken_definer;
