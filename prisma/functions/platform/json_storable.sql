-- Replaces the characters of JSON that Postgres' text cannot store, NUL and half of a surrogate pair, by U+FFFD. Control characters,
-- which valid JSON does not contain, stand in for escaped backslashes (1) and whole pairs (2) meanwhile. It never looks back, so its time
-- is linear in the length.
CREATE OR REPLACE FUNCTION json_storable(p_json json) RETURNS json
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
SET search_path = pg_catalog, pg_temp AS $$
  SELECT replace(replace(regexp_replace(regexp_replace(replace(replace(p_json::text, '\\', chr(1)), '\u0000', '\ufffd'),
    '\\(u[dD][89abAB][0-9a-fA-F]{2})\\(u[dD][c-fC-F][0-9a-fA-F]{2})', E'\x02\\1\x02\\2', 'g'),
    '\\u[dD][89a-fA-F][0-9a-fA-F]{2}', '\\ufffd', 'g'), chr(2), '\'), chr(1), '\\')::json
$$;

REVOKE ALL ON FUNCTION json_storable FROM PUBLIC;
GRANT EXECUTE ON FUNCTION json_storable TO kilotoken_definer;
