-- The number of keys that an organization may claim in one day of UTC.
CREATE OR REPLACE FUNCTION idempotency_keys_max() RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT 500000::bigint $$;

REVOKE ALL ON FUNCTION idempotency_keys_max FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idempotency_keys_max TO kilotoken_definer;
