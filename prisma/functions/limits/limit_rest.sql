-- The subject shared by end users who came after a limit had its largest number of counters. Requests without an end user have the
-- subject ''.
CREATE OR REPLACE FUNCTION limit_rest() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT '(other)' $$;

REVOKE ALL ON FUNCTION limit_rest FROM PUBLIC;
GRANT EXECUTE ON FUNCTION limit_rest TO kilotoken_definer, kilotoken_control, kilotoken_api, kilotoken_staff;
