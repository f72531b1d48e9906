-- Shrinks leases of a session by lease_shrink. Answers the number of changed leases. The planner's settings: leases are looked up by key,
-- even by a plan that was made while the table was empty.
CREATE OR REPLACE FUNCTION lease_return(p_session uuid, p_rows json) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
  PERFORM session_fence(p_session);
  RETURN lease_shrink(p_session, p_rows);
END $$;

ALTER FUNCTION lease_return OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION lease_return FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lease_return TO kilotoken_gateway, kilotoken_app;
