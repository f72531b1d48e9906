-- Reaps a session whose heartbeat still says p_beat. Lock order: heartbeat, session, then the locks of session_reap. Answers as
-- session_reap.
CREATE OR REPLACE FUNCTION session_reap_silent(p_session uuid, p_beat bigint) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_beat bigint;
BEGIN
  SELECT beat INTO v_beat FROM session_heartbeat WHERE session_id = p_session FOR UPDATE;
  IF coalesce(v_beat, -1) <> p_beat THEN RETURN json_build_object('reaped', false, 'billed', 0, 'leases', 0); END IF;
  RETURN session_reap(p_session);
END $$;

ALTER FUNCTION session_reap_silent OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION session_reap_silent FROM PUBLIC;
GRANT EXECUTE ON FUNCTION session_reap_silent TO kilotoken_metering, kilotoken_app;
