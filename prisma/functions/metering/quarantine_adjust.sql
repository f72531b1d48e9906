-- Corrects wrongly rated usage in quarantine to p_rated of a unit, by rating_adjust_unit. Errors: those of quarantine_open.
CREATE OR REPLACE FUNCTION quarantine_adjust(p_organization uuid, p_usage uuid, p_attempt smallint, p_reason text, p_unit text, p_rated numeric, p_note text)
RETURNS rating_adjustment
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM quarantine_open(p_organization, p_usage, p_attempt, p_reason, '^rating_mismatch$');
  RETURN rating_adjust_unit(p_organization, p_usage, p_attempt, p_unit, p_rated, p_note);
END $$;

ALTER FUNCTION quarantine_adjust OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION quarantine_adjust FROM PUBLIC;
GRANT EXECUTE ON FUNCTION quarantine_adjust TO kilotoken_control;
