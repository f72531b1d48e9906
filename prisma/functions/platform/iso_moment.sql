-- A moment as JSON writes it: ISO 8601 in UTC, whatever the session's time zone.
CREATE OR REPLACE FUNCTION iso_moment(moment timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE STRICT AS $$ SELECT to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$;

REVOKE ALL ON FUNCTION iso_moment FROM PUBLIC;
GRANT EXECUTE ON FUNCTION iso_moment TO kilotoken_definer, kilotoken_app, kilotoken_control, kilotoken_api, kilotoken_staff;
