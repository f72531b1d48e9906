-- The release before refunds grants by this, all that remains. Answers the amount, null while leases are open. See grant_refund_against.
CREATE OR REPLACE FUNCTION grant_refund_request(p_organization uuid, p_grant uuid, p_reference text, p_reason text) RETURNS numeric
LANGUAGE sql
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT CASE WHEN refunded_at IS NOT NULL THEN amount END FROM grant_refund_against(p_organization, p_grant, NULL, p_reference, p_reason, NULL)
$$;

REVOKE ALL ON FUNCTION grant_refund_request FROM PUBLIC;
GRANT EXECUTE ON FUNCTION grant_refund_request TO kilotoken_definer;
