-- Begins a session. p_end_key_hash is the SHA-256 of the key by which session_end ends it; null: session_end cannot. Executed again it
-- changes nothing.
CREATE OR REPLACE FUNCTION session_open(p_session uuid, p_app text, p_host text, p_pid integer, p_release text, p_end_key_hash bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  INSERT INTO session (id, app, host, pid, release, end_key_hash) VALUES (p_session, p_app, p_host, p_pid, p_release, p_end_key_hash) ON CONFLICT DO NOTHING;
  INSERT INTO session_heartbeat (session_id) VALUES (p_session) ON CONFLICT DO NOTHING;
END $$;

ALTER FUNCTION session_open OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION session_open FROM PUBLIC;
GRANT EXECUTE ON FUNCTION session_open TO kilotoken_gateway, kilotoken_app;
