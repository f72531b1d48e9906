-- Why: a gateway delivers only while it can know that its session is alive. Its beat therefore says so, and a reaper ends a
-- session only if the heartbeat that it saw unchanged is unchanged still, under the heartbeat's lock: a session that was
-- confirmed lives for its time to live from the moment at which the beat was sent. A session without a heartbeat row is
-- silent: it was neither seen nor reaped before.
-- Locks: none beyond the functions' own rows in the catalogue. The previous release goes on with session_beat and session_reap.

-- Beats, and says whether the session is alive. The second statement has a snapshot of its own: a beat that waited for a reaper sees what it did.
CREATE FUNCTION session_confirm(p_session uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  UPDATE session_heartbeat SET beat = beat + 1, beat_at = kt_now() WHERE session_id = p_session;
  RETURN FOUND AND EXISTS (SELECT FROM session WHERE id = p_session AND reaped_at IS NULL);
END $$;

-- Sessions that are not reaped, with their heartbeat counters; -1 where the heartbeat's row is gone.
CREATE FUNCTION session_pulses() RETURNS TABLE (session_id uuid, beat bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT s.id, coalesce(h.beat, -1) FROM session s LEFT JOIN session_heartbeat h ON h.session_id = s.id WHERE s.reaped_at IS NULL
$$;

-- Reaps a session whose heartbeat still says p_beat. Lock order: heartbeat, session, and what session_reap takes.
CREATE FUNCTION session_reap_silent(p_session uuid, p_beat bigint) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_beat bigint;
BEGIN
  SELECT beat INTO v_beat FROM session_heartbeat WHERE session_id = p_session FOR UPDATE;
  IF coalesce(v_beat, -1) <> p_beat THEN RETURN json_build_object('reaped', false, 'billed', 0, 'leases', 0); END IF;
  RETURN session_reap(p_session);
END $$;

DO $$
DECLARE f record;
BEGIN
  EXECUTE format('GRANT kilotoken_definer TO %I WITH SET TRUE', current_user);
  EXECUTE 'GRANT CREATE ON SCHEMA public TO kilotoken_definer';
  FOR f IN SELECT p.oid::regprocedure AS signature FROM pg_proc p
           WHERE p.pronamespace = 'public'::regnamespace AND p.proname IN ('session_confirm', 'session_pulses', 'session_reap_silent') LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f.signature);
    EXECUTE format('ALTER FUNCTION %s OWNER TO kilotoken_definer', f.signature);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO kilotoken_definer, kilotoken_app', f.signature);
  END LOOP;
  EXECUTE 'REVOKE CREATE ON SCHEMA public FROM kilotoken_definer';
END $$;
