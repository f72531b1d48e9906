-- Ends a run. A failed one may be claimed again after p_retry_ms. Executed by a run that lost its claim it changes nothing.
CREATE OR REPLACE FUNCTION nightly_end(p_name text, p_night date, p_claim uuid, p_ok boolean, p_outcome jsonb, p_retry_ms integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  UPDATE nightly_run SET outcome = p_outcome, finished_at = CASE WHEN p_ok THEN kt_now() END,
    claimed_until = CASE WHEN p_ok THEN claimed_until ELSE kt_now() + make_interval(secs => p_retry_ms / 1000.0) END
    WHERE name = p_name AND night = p_night AND claim_id = p_claim AND finished_at IS NULL;
  RETURN FOUND;
END $$;

ALTER FUNCTION nightly_end OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION nightly_end FROM PUBLIC;
GRANT EXECUTE ON FUNCTION nightly_end TO kilotoken_backoffice, kilotoken_app;
