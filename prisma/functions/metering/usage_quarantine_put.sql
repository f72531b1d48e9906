-- Keeps usage that Postgres could not store, as its original bytes. A request whose settlement is kept here (reason 'settle:…') is
-- closed.
CREATE OR REPLACE FUNCTION usage_quarantine_put(p_session uuid, p_organization uuid, p_id uuid, p_attempt smallint, p_reason text, p_raw bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM session_fence(p_session);
  INSERT INTO usage_quarantine (organization_id, id, attempt, session_id, reason, raw)
    VALUES (p_organization, p_id, p_attempt, p_session, p_reason, p_raw) ON CONFLICT DO NOTHING;
  IF p_reason LIKE 'settle:%' THEN
    DELETE FROM open_request WHERE organization_id = p_organization AND id = p_id AND session_id = p_session;
  END IF;
END $$;

ALTER FUNCTION usage_quarantine_put OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION usage_quarantine_put FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usage_quarantine_put TO kilotoken_gateway, kilotoken_app;
