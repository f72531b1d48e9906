-- The bucket of a latency, one of 13: below 50 ms, below 100 ms, and so on doubling; the last one is open.
CREATE OR REPLACE FUNCTION rollup_bucket(p_ms numeric) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT width_bucket(p_ms, ARRAY[50, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 102400]::numeric[]) $$;

REVOKE ALL ON FUNCTION rollup_bucket FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rollup_bucket TO kilotoken_definer;
