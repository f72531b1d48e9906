-- One of 16 rows that count an organization's claims, so that its claims do not wait for each other.
CREATE OR REPLACE FUNCTION idempotency_slot(p_claim uuid) RETURNS smallint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT (get_byte(uuid_send(p_claim), 15) % 16)::smallint $$;

REVOKE ALL ON FUNCTION idempotency_slot FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idempotency_slot TO kilotoken_definer;
