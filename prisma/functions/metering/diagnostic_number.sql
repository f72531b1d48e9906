-- A number within its bounds. Text that is no number becomes p_otherwise; an infinite number becomes its bound.
CREATE OR REPLACE FUNCTION diagnostic_number(p_text text, p_least numeric, p_most numeric, p_otherwise numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE
    WHEN length(p_text) <= 400 AND p_text ~ '^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$' THEN least(p_most, greatest(p_least, round(p_text::numeric, 12)))
    WHEN p_text ~* '^\+?inf(inity)?$' OR p_text ~ '^[0-9]' THEN p_most
    WHEN p_text ~* '^-inf(inity)?$' OR p_text ~ '^-[0-9]' THEN p_least
    ELSE p_otherwise END
$$;

REVOKE ALL ON FUNCTION diagnostic_number FROM PUBLIC;
GRANT EXECUTE ON FUNCTION diagnostic_number TO kilotoken_definer;
