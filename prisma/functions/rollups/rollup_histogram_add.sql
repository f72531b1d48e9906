-- The sum of two histograms, bucket by bucket.
CREATE OR REPLACE FUNCTION rollup_histogram_add(p_one bigint[], p_other bigint[]) RETURNS bigint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT array_agg(o.one + o.other ORDER BY o.position) FROM unnest(p_one, p_other) WITH ORDINALITY AS o(one, other, position) $$;

REVOKE ALL ON FUNCTION rollup_histogram_add FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rollup_histogram_add TO kilotoken_definer;
