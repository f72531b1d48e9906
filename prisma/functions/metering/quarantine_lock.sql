-- Begins a step of a case in quarantine: steps of one request run one after another, until the transaction ends. Answers true for an open
-- case. Errors: those of control_fence.
CREATE OR REPLACE FUNCTION quarantine_lock(p_organization uuid, p_usage uuid, p_attempt smallint, p_reason text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM control_fence(p_organization);
  PERFORM pg_advisory_xact_lock(hashtextextended('quarantine' || p_organization::text || p_usage::text, 0));
  RETURN EXISTS (SELECT FROM usage_quarantine WHERE organization_id = p_organization AND id = p_usage AND attempt = p_attempt AND reason = p_reason)
    AND NOT EXISTS (SELECT FROM quarantine_step WHERE organization_id = p_organization AND usage_id = p_usage AND attempt = p_attempt AND reason = p_reason
      AND step <> 'repaired');
END $$;

ALTER FUNCTION quarantine_lock OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION quarantine_lock FROM PUBLIC;
GRANT EXECUTE ON FUNCTION quarantine_lock TO kilotoken_control;
