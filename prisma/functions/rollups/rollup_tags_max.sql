-- How many tags of an organization and day have sums of their own.
CREATE OR REPLACE FUNCTION rollup_tags_max() RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT 1000 $$;

REVOKE ALL ON FUNCTION rollup_tags_max FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rollup_tags_max TO kilotoken_definer;
