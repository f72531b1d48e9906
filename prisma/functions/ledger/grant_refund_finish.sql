-- Recalls the leases of a closing grant; once none is open, refunds the available amount. The caller has locked the grant. Answers the
-- amount, null while leases are open.
CREATE OR REPLACE FUNCTION grant_refund_finish(p_organization uuid, p_grant uuid) RETURNS numeric
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE g credit_grant; v_amount numeric;
BEGIN
  SELECT amount INTO v_amount FROM grant_refund WHERE organization_id = p_organization AND grant_id = p_grant AND refunded_at IS NOT NULL;
  IF FOUND THEN RETURN v_amount; END IF;
  SELECT * INTO STRICT g FROM credit_grant WHERE organization_id = p_organization AND id = p_grant;
  PERFORM FROM lease WHERE organization_id = p_organization AND grant_id = p_grant AND closed_at IS NULL AND recalled_at IS NULL ORDER BY id FOR UPDATE;
  UPDATE lease SET recalled_at = kt_now() WHERE organization_id = p_organization AND grant_id = p_grant AND closed_at IS NULL AND recalled_at IS NULL;
  IF EXISTS (SELECT FROM lease WHERE organization_id = p_organization AND grant_id = p_grant AND closed_at IS NULL) THEN RETURN NULL; END IF;

  UPDATE credit_grant SET available = 0, refunded = refunded + g.available WHERE organization_id = p_organization AND id = p_grant;
  UPDATE grant_refund SET amount = g.available, refunded_at = kt_now() WHERE organization_id = p_organization AND grant_id = p_grant;
  IF g.available > 0 THEN
    PERFORM ledger_post(p_organization, 'grant_refunded', p_grant::text, jsonb_build_array(
      jsonb_build_object('account', 'grant_liability', 'unit', g.unit, 'amount', g.available),
      jsonb_build_object('account', grant_counterpart(g.promotional), 'unit', g.unit, 'amount', -g.available)));
  END IF;
  RETURN g.available;
END $$;

REVOKE ALL ON FUNCTION grant_refund_finish FROM PUBLIC;
GRANT EXECUTE ON FUNCTION grant_refund_finish TO kilotoken_definer;
