-- Sessions that are not reaped, with their heartbeat counters; -1 where the heartbeat's row is gone. A reaper compares counters, never
-- times.
CREATE OR REPLACE FUNCTION session_pulses() RETURNS TABLE (session_id uuid, beat bigint)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT s.id, coalesce(h.beat, -1) FROM session s LEFT JOIN session_heartbeat h ON h.session_id = s.id WHERE s.reaped_at IS NULL
$$;

ALTER FUNCTION session_pulses OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION session_pulses FROM PUBLIC;
GRANT EXECUTE ON FUNCTION session_pulses TO kilotoken_metering, kilotoken_app;
