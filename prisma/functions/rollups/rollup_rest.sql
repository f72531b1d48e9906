-- The key and the value of the rest: tags without their own sums.
CREATE OR REPLACE FUNCTION rollup_rest() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT '(other)' $$;

REVOKE ALL ON FUNCTION rollup_rest FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rollup_rest TO kilotoken_definer, kilotoken_control, kilotoken_api, kilotoken_staff;
