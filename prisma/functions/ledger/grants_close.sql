-- Finishes refunds whose leases have come back, and recalls the others' leases again. Answers how many it finished.
CREATE OR REPLACE FUNCTION grants_close(p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE e record; n integer := 0;
BEGIN
  FOR e IN SELECT c.organization_id, c.id FROM credit_grant c
           JOIN grant_refund r ON r.organization_id = c.organization_id AND r.grant_id = c.id AND r.refunded_at IS NULL
           ORDER BY c.organization_id, c.id LIMIT p_limit FOR UPDATE OF c SKIP LOCKED LOOP
    IF grant_refund_finish(e.organization_id, e.id) IS NOT NULL THEN n := n + 1; END IF;
  END LOOP;
  RETURN n;
END $$;

ALTER FUNCTION grants_close OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION grants_close FROM PUBLIC;
GRANT EXECUTE ON FUNCTION grants_close TO kilotoken_metering, kilotoken_app;
