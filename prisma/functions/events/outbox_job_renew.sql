-- Keeps a run's claim for another p_claim_ms. False: the run has lost its job.
CREATE OR REPLACE FUNCTION outbox_job_renew(p_organization uuid, p_id uuid, p_claim uuid, p_claim_ms integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  UPDATE outbox_job j SET claimed_until = kt_now() + make_interval(secs => p_claim_ms / 1000.0), next_at = kt_now() + make_interval(secs => p_claim_ms / 1000.0)
    WHERE j.organization_id = p_organization AND j.id = p_id AND j.claim_id = p_claim AND j.status = 'waiting';
  RETURN FOUND;
END $$;

ALTER FUNCTION outbox_job_renew OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION outbox_job_renew FROM PUBLIC;
GRANT EXECUTE ON FUNCTION outbox_job_renew TO kilotoken_backoffice, kilotoken_app;
