-- Ends the session that drew this key, and no other: the caller knows no other session's key. Error 42501: the key ends another session, or
-- none. Answers as session_reap.
CREATE OR REPLACE FUNCTION session_end(p_session uuid, p_end_key bytea) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM session WHERE id = p_session AND end_key_hash = sha256(p_end_key)) THEN
    RAISE EXCEPTION 'session % is not the one that this key ends', p_session USING ERRCODE = '42501';
  END IF;
  RETURN session_reap(p_session);
END $$;

ALTER FUNCTION session_end OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION session_end FROM PUBLIC;
GRANT EXECUTE ON FUNCTION session_end TO kilotoken_gateway, kilotoken_app;
