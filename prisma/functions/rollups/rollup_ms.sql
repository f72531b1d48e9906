-- Whole milliseconds between two moments. A clock that stepped back makes no negative ones, and a moment that never came makes none. An
-- infinite time, which an older release may have stored, is cut to more than any two moments are apart: an infinite sum fits no column.
CREATE OR REPLACE FUNCTION rollup_ms(p_since timestamptz, p_until timestamptz) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN p_until > p_since THEN least(round(extract(epoch FROM p_until - p_since) * 1000), 10000000000000000) WHEN p_until <= p_since THEN 0 END $$;

REVOKE ALL ON FUNCTION rollup_ms FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rollup_ms TO kilotoken_definer;
