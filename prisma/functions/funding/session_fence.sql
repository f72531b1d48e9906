-- Begins every statement that moves money for a session: it shares the session's row while the session is not reaped. Error KT001: the
-- session was reaped, its process is a zombie.
CREATE OR REPLACE FUNCTION session_fence(p_session uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM FROM session WHERE id = p_session AND reaped_at IS NULL FOR SHARE;
  IF NOT FOUND THEN RAISE EXCEPTION 'session % was reaped', p_session USING ERRCODE = 'KT001'; END IF;
END $$;

ALTER FUNCTION session_fence OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION session_fence FROM PUBLIC;
GRANT EXECUTE ON FUNCTION session_fence TO kilotoken_app;
