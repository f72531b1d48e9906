-- Records a step of a case in quarantine, the last one where it ends the case. Errors: those of quarantine_open.
CREATE OR REPLACE FUNCTION quarantine_step_put(p_organization uuid, p_usage uuid, p_attempt smallint, p_reason text, p_step text, p_raw bytea, p_result jsonb,
  p_note text, p_actor text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM quarantine_open(p_organization, p_usage, p_attempt, p_reason, CASE p_step
    WHEN 'repaired' THEN '^(settle|reap):' WHEN 'replayed' THEN '^(settle:|reap:|rating_mismatch$)' ELSE '' END);
  INSERT INTO quarantine_step (organization_id, usage_id, attempt, reason, sequence, step, raw, result, note, actor)
    SELECT p_organization, p_usage, p_attempt, p_reason, 1 + count(*), p_step, p_raw, p_result, p_note, p_actor
    FROM quarantine_step WHERE organization_id = p_organization AND usage_id = p_usage AND attempt = p_attempt AND reason = p_reason;
END $$;

ALTER FUNCTION quarantine_step_put OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION quarantine_step_put FROM PUBLIC;
GRANT EXECUTE ON FUNCTION quarantine_step_put TO kilotoken_control;
