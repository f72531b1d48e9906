-- Gives the available amount of a grant to its waiting refunds of a part, the oldest first. The caller has locked the grant. Executed
-- again it changes nothing.
CREATE OR REPLACE FUNCTION grant_refund_take(p_organization uuid, p_grant uuid) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE r grant_refund; v_available numeric; v_due numeric;
BEGIN
  FOR r IN SELECT * FROM grant_refund WHERE organization_id = p_organization AND grant_id = p_grant AND refunded_at IS NULL AND asked IS NOT NULL
           ORDER BY requested_at, id LOOP
    SELECT available INTO STRICT v_available FROM credit_grant WHERE organization_id = p_organization AND id = p_grant;
    EXIT WHEN v_available = 0;
    v_due := r.asked - coalesce(r.amount, 0);
    PERFORM grant_refund_book(r, least(v_due, v_available), v_due <= v_available);
  END LOOP;
END $$;

REVOKE ALL ON FUNCTION grant_refund_take FROM PUBLIC;
GRANT EXECUTE ON FUNCTION grant_refund_take TO kilotoken_definer;
