-- Binds a claim to its request, before the dispatch. False: another request took the claim over, so this one must not be dispatched.
CREATE OR REPLACE FUNCTION idempotency_bind(p_session uuid, p_organization uuid, p_key text, p_claim uuid, p_request uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM session_fence(p_session);
  UPDATE idempotency_claim SET request_id = p_request WHERE organization_id = p_organization AND key = p_key AND claim_id = p_claim;
  RETURN FOUND;
END $$;

ALTER FUNCTION idempotency_bind OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION idempotency_bind FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idempotency_bind TO kilotoken_gateway, kilotoken_app;
