-- Moves refunds on that wait for leases. Answers the number of grants none of whose refunds waits any more.
CREATE OR REPLACE FUNCTION grants_close(p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE g record; n integer := 0;
BEGIN
  FOR g IN SELECT c.organization_id, c.id FROM credit_grant c
           WHERE EXISTS (SELECT FROM grant_refund r WHERE r.organization_id = c.organization_id AND r.grant_id = c.id AND r.refunded_at IS NULL)
           ORDER BY c.organization_id, c.id LIMIT p_limit FOR UPDATE SKIP LOCKED LOOP
    IF grant_refund_advance(g.organization_id, g.id) THEN n := n + 1; END IF;
  END LOOP;
  RETURN n;
END $$;

ALTER FUNCTION grants_close OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION grants_close FROM PUBLIC;
GRANT EXECUTE ON FUNCTION grants_close TO kilotoken_metering, kilotoken_app;
