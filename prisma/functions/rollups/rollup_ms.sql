-- Whole milliseconds between two moments; null without one of them, and never negative, even after a clock has stepped back. An infinite
-- time, which an older release may have stored, is cut to more than the largest possible distance, since an infinite sum fits no column.
CREATE OR REPLACE FUNCTION rollup_ms(p_since timestamptz, p_until timestamptz) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN p_until > p_since THEN least(round(extract(epoch FROM p_until - p_since) * 1000), 10000000000000000) WHEN p_until <= p_since THEN 0 END $$;

REVOKE ALL ON FUNCTION rollup_ms FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rollup_ms TO kilotoken_definer;
