-- Expires the available amount of grants whose end has come; what is leased expires when it returns. Grants that are being refunded do not
-- expire: their end is the refund. Answers how many.
CREATE OR REPLACE FUNCTION grants_expire(p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_now timestamptz := kt_now(); g credit_grant; n integer := 0;
BEGIN
  FOR g IN SELECT * FROM credit_grant WHERE expires_at <= v_now AND available > 0 AND closing_at IS NULL
           ORDER BY organization_id, id LIMIT p_limit FOR UPDATE SKIP LOCKED LOOP
    UPDATE credit_grant SET available = 0, expired = expired + g.available WHERE organization_id = g.organization_id AND id = g.id;
    PERFORM ledger_post(g.organization_id, 'grant_expired', g.id::text || ':' || (g.expired + g.available)::text, jsonb_build_array(
      jsonb_build_object('account', 'grant_liability', 'unit', g.unit, 'amount', g.available),
      jsonb_build_object('account', 'breakage_revenue', 'unit', g.unit, 'amount', -g.available)));
    n := n + 1;
  END LOOP;
  RETURN n;
END $$;

ALTER FUNCTION grants_expire OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION grants_expire FROM PUBLIC;
GRANT EXECUTE ON FUNCTION grants_expire TO kilotoken_metering, kilotoken_app;
