-- Begins a session that only a reaper ends. Executed again it changes nothing.
CREATE OR REPLACE FUNCTION session_start(p_session uuid, p_app text, p_host text, p_pid integer, p_release text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  INSERT INTO session (id, app, host, pid, release) VALUES (p_session, p_app, p_host, p_pid, p_release) ON CONFLICT DO NOTHING;
  INSERT INTO session_heartbeat (session_id) VALUES (p_session) ON CONFLICT DO NOTHING;
END $$;

ALTER FUNCTION session_start OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION session_start FROM PUBLIC;
GRANT EXECUTE ON FUNCTION session_start TO kilotoken_app;
