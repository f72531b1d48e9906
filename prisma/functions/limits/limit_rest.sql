-- The subject that end users share who came when a limit had as many counters as it may have. Requests without an end user have the subject
-- ''.
CREATE OR REPLACE FUNCTION limit_rest() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT '(other)' $$;

REVOKE ALL ON FUNCTION limit_rest FROM PUBLIC;
GRANT EXECUTE ON FUNCTION limit_rest TO kilotoken_definer, kilotoken_control, kilotoken_api, kilotoken_staff;
