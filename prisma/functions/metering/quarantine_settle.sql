-- Settles the rows of an unsettled request in quarantine, as a gateway does, and ends the session of its replay with its leases. Answers
-- the number of written rows. Errors: KT043 a row is of another request; those of quarantine_open, quarantine_session and settle.
CREATE OR REPLACE FUNCTION quarantine_settle(p_organization uuid, p_usage uuid, p_attempt smallint, p_reason text, p_session uuid, p_rows json) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_written integer;
BEGIN
  PERFORM quarantine_open(p_organization, p_usage, p_attempt, p_reason, '^(settle|reap):');
  PERFORM quarantine_session(p_session);
  IF EXISTS (SELECT FROM json_to_recordset(json_storable(p_rows)) AS r(organization uuid, id uuid)
      WHERE r.organization IS DISTINCT FROM p_organization OR r.id IS DISTINCT FROM p_usage) THEN
    RAISE EXCEPTION 'a row is not of usage %', p_usage USING ERRCODE = 'KT043';
  END IF;
  v_written := settle(p_session, 1, p_rows);
  PERFORM session_reap(p_session);
  RETURN v_written;
END $$;

ALTER FUNCTION quarantine_settle OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION quarantine_settle FROM PUBLIC;
GRANT EXECUTE ON FUNCTION quarantine_settle TO kilotoken_control;
