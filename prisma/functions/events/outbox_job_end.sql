-- Ends an attempt: done, waiting again for p_retry_ms, or dead where no attempt is left or p_retry_ms is null. Answers the job's status;
-- null when this run has lost the job, and then changes nothing.
CREATE OR REPLACE FUNCTION outbox_job_end(p_organization uuid, p_id uuid, p_claim uuid, p_done boolean, p_outcome jsonb, p_retry_ms bigint) RETURNS text
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
  UPDATE outbox_job j SET outcome = p_outcome, handed_at = NULL, claim_id = NULL, claimed_until = NULL,
    next_at = CASE WHEN p_done OR p_retry_ms IS NULL THEN j.next_at ELSE kt_now() + make_interval(secs => p_retry_ms / 1000.0) END,
    status = CASE WHEN p_done THEN 'done' WHEN p_retry_ms IS NULL OR j.attempts >= j.attempts_max THEN 'dead' ELSE 'waiting' END,
    finished_at = CASE WHEN p_done OR p_retry_ms IS NULL OR j.attempts >= j.attempts_max THEN kt_now() END
  WHERE j.organization_id = p_organization AND j.id = p_id AND j.claim_id = p_claim AND j.status = 'waiting'
  RETURNING j.status
$$;

ALTER FUNCTION outbox_job_end OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION outbox_job_end FROM PUBLIC;
GRANT EXECUTE ON FUNCTION outbox_job_end TO kilotoken_backoffice, kilotoken_app;
