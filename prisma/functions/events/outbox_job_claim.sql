-- Begins the attempt after p_attempts earlier ones. No row: another run has or had the job, and this one has nothing to do.
CREATE OR REPLACE FUNCTION outbox_job_claim(p_organization uuid, p_id uuid, p_attempts smallint, p_claim uuid, p_claim_ms integer)
RETURNS TABLE (queue text, event_id uuid, payload jsonb, attempts smallint, attempts_max smallint)
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
  UPDATE outbox_job j SET attempts = j.attempts + 1, claim_id = p_claim,
    claimed_until = kt_now() + make_interval(secs => p_claim_ms / 1000.0), next_at = kt_now() + make_interval(secs => p_claim_ms / 1000.0)
  WHERE j.organization_id = p_organization AND j.id = p_id AND j.status = 'waiting' AND j.attempts = p_attempts AND j.attempts < j.attempts_max
    AND (j.claimed_until IS NULL OR j.claimed_until <= kt_now())
  RETURNING j.queue, j.event_id, j.payload, j.attempts, j.attempts_max
$$;

ALTER FUNCTION outbox_job_claim OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION outbox_job_claim FROM PUBLIC;
GRANT EXECUTE ON FUNCTION outbox_job_claim TO kilotoken_backoffice, kilotoken_app;
