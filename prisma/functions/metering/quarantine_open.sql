-- Locks a case in quarantine before a change. Refuses a case that is not open, or whose reason does not match p_kind (KT043). Errors:
-- those of control_fence.
CREATE OR REPLACE FUNCTION quarantine_open(p_organization uuid, p_usage uuid, p_attempt smallint, p_reason text, p_kind text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF NOT quarantine_lock(p_organization, p_usage, p_attempt, p_reason) OR p_reason !~ p_kind THEN
    RAISE EXCEPTION 'usage % in quarantine (%) is not open to that', p_usage, p_reason USING ERRCODE = 'KT043';
  END IF;
END $$;

REVOKE ALL ON FUNCTION quarantine_open FROM PUBLIC;
GRANT EXECUTE ON FUNCTION quarantine_open TO kilotoken_definer;
