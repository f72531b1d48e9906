-- Keeps a usage row whose rating a rater could not reproduce. The row itself stays; a repair adjusts it.
CREATE OR REPLACE FUNCTION rating_quarantine(p_organization uuid, p_id uuid, p_attempt smallint, p_session uuid, p_raw bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
  INSERT INTO usage_quarantine (organization_id, id, attempt, session_id, reason, raw)
    SELECT organization_id, id, attempt, session_id, 'rating_mismatch', p_raw FROM usage WHERE organization_id = p_organization AND id = p_id AND attempt = p_attempt
    ON CONFLICT DO NOTHING
$$;

ALTER FUNCTION rating_quarantine OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION rating_quarantine FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rating_quarantine TO kilotoken_metering, kilotoken_app;
