-- Leases an amount of a unit, or as much of it as the grants have, for an unsettled request in quarantine, to the session of its replay.
-- Answers as lease_take. Errors: those of quarantine_open and quarantine_session.
CREATE OR REPLACE FUNCTION quarantine_take(p_organization uuid, p_usage uuid, p_attempt smallint, p_reason text, p_session uuid, p_ask uuid, p_unit text,
  p_model text, p_amount numeric) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM quarantine_open(p_organization, p_usage, p_attempt, p_reason, '^(settle|reap):');
  PERFORM quarantine_session(p_session);
  RETURN lease_take(p_session, p_organization, p_ask, p_unit, p_model, p_amount, 0, 0, p_usage);
END $$;

ALTER FUNCTION quarantine_take OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION quarantine_take FROM PUBLIC;
GRANT EXECUTE ON FUNCTION quarantine_take TO kilotoken_control;
