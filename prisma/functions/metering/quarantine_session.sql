-- The session in which a replay leases and settles. The first call begins it. Error KT043: the id belongs to another kind of session,
-- which the end of the replay would reap.
CREATE OR REPLACE FUNCTION quarantine_session(p_session uuid) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM session_open(p_session, 'quarantine', coalesce(host(inet_client_addr()), 'local'), pg_backend_pid(), '', NULL);
  IF NOT EXISTS (SELECT FROM session WHERE id = p_session AND app = 'quarantine') THEN
    RAISE EXCEPTION 'session % is no replay''s', p_session USING ERRCODE = 'KT043';
  END IF;
END $$;

REVOKE ALL ON FUNCTION quarantine_session FROM PUBLIC;
GRANT EXECUTE ON FUNCTION quarantine_session TO kilotoken_definer;
