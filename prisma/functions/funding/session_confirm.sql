-- Beats a session's heart and answers whether it is alive. The second statement has its own snapshot, so a beat that waited for a reaper
-- sees the reaper's changes.
CREATE OR REPLACE FUNCTION session_confirm(p_session uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  UPDATE session_heartbeat SET beat = beat + 1, beat_at = kt_now() WHERE session_id = p_session;
  RETURN FOUND AND EXISTS (SELECT FROM session WHERE id = p_session AND reaped_at IS NULL);
END $$;

ALTER FUNCTION session_confirm OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION session_confirm FROM PUBLIC;
GRANT EXECUTE ON FUNCTION session_confirm TO kilotoken_gateway, kilotoken_app;
