-- The tokens of a class. A count that is no whole number from 0 to 2⁵³−1 is an error of the vendor, in quarantine, and counts nothing.
CREATE OR REPLACE FUNCTION rollup_tokens(p_counts jsonb, p_class text) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN jsonb_typeof(p_counts -> p_class) = 'number' THEN
    CASE WHEN (p_counts ->> p_class)::numeric BETWEEN 0 AND 9007199254740991 AND (p_counts ->> p_class)::numeric % 1 = 0
      THEN (p_counts ->> p_class)::numeric ELSE 0 END ELSE 0 END $$;

REVOKE ALL ON FUNCTION rollup_tokens FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rollup_tokens TO kilotoken_definer;
