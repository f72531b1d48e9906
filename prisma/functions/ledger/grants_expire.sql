-- Expires the available amount of grants past their end; a leased amount expires when it returns. A grant that is being refunded ends
-- with its refund. Answers the number of grants.
CREATE OR REPLACE FUNCTION grants_expire(p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_now timestamptz := kt_now(); g credit_grant; n integer := 0;
BEGIN
  FOR g IN SELECT * FROM credit_grant WHERE expires_at <= v_now AND available > 0 AND closing_at IS NULL
           ORDER BY organization_id, id LIMIT p_limit FOR UPDATE SKIP LOCKED LOOP
    UPDATE credit_grant SET available = 0, expired = expired + g.available WHERE organization_id = g.organization_id AND id = g.id;
    PERFORM ledger_post(g.organization_id, 'grant_expired', g.id::text || ':' || (g.expired + g.available)::text,
      ledger_pair('grant_liability', 'breakage_revenue', g.unit, g.available));
    n := n + 1;
  END LOOP;
  RETURN n;
END $$;

ALTER FUNCTION grants_expire OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION grants_expire FROM PUBLIC;
GRANT EXECUTE ON FUNCTION grants_expire TO kilotoken_metering, kilotoken_app;
