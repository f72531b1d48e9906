-- Advances refunds that wait for leases, of at most p_limit grants. It picks any of those that wait, so grants whose leases stay out do
-- not block the others. Answers the number of grants without a waiting refund.
CREATE OR REPLACE FUNCTION grants_close(p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE g record; n integer := 0;
BEGIN
  FOR g IN SELECT c.organization_id, c.id FROM (
             SELECT r.organization_id, r.grant_id FROM grant_refund r WHERE r.refunded_at IS NULL GROUP BY 1, 2 ORDER BY random() LIMIT p_limit) w
           JOIN credit_grant c ON c.organization_id = w.organization_id AND c.id = w.grant_id
           ORDER BY c.organization_id, c.id FOR UPDATE OF c SKIP LOCKED LOOP
    IF grant_refund_advance(g.organization_id, g.id) THEN n := n + 1; END IF;
  END LOOP;
  RETURN n;
END $$;

ALTER FUNCTION grants_close OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION grants_close FROM PUBLIC;
GRANT EXECUTE ON FUNCTION grants_close TO kilotoken_metering, kilotoken_app;
