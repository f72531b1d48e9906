-- Frees the key of a request that was refused, or broke without a charge. The key then no longer counts against the day's keys. Fenced:
-- the reaper of a dead session knows more of its requests than a process that was taken for dead.
CREATE OR REPLACE FUNCTION idempotency_release(p_session uuid, p_organization uuid, p_key text, p_claim uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_claimed_at timestamptz;
BEGIN
  PERFORM session_fence(p_session);
  DELETE FROM idempotency_claim WHERE organization_id = p_organization AND key = p_key AND claim_id = p_claim
    RETURNING claimed_at INTO v_claimed_at;
  UPDATE idempotency_tally SET claims = claims - 1
    WHERE organization_id = p_organization AND day = (v_claimed_at AT TIME ZONE 'UTC')::date AND slot = idempotency_slot(p_claim) AND claims > 0;
END $$;

ALTER FUNCTION idempotency_release OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION idempotency_release FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idempotency_release TO kilotoken_gateway, kilotoken_app;
