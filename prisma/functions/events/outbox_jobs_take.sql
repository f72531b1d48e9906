-- Takes due jobs of p_queues in order, for their queues. A job that no run claims is due again after p_silence_ms. At most
-- p_per_organization jobs of an organization and queue are handed over or run at a time, so hanging receivers of one organization delay
-- no other. p_attempts has each queue's attempts: a job is dead when its last attempt ended without a report. `handed_at` keeps the first
-- handing over until a run claims the job, so that a job that no run begins grows old.
CREATE OR REPLACE FUNCTION outbox_jobs_take(p_queues text[], p_attempts smallint[], p_limit integer, p_per_organization integer, p_silence_ms integer)
RETURNS TABLE (organization_id uuid, id uuid, queue text, attempts smallint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  RETURN QUERY
  -- Steps from organization to organization by the index, however many jobs one has.
  WITH RECURSIVE lane (organization_id, queue) AS (
    (SELECT j.organization_id, j.queue FROM outbox_job j WHERE j.status = 'waiting' ORDER BY j.organization_id, j.queue LIMIT 1)
    UNION ALL
    SELECT n.organization_id, n.queue FROM lane l CROSS JOIN LATERAL (
      SELECT j.organization_id, j.queue FROM outbox_job j WHERE j.status = 'waiting' AND (j.organization_id, j.queue) > (l.organization_id, l.queue)
      ORDER BY j.organization_id, j.queue LIMIT 1) n),
  room AS (
    SELECT l.organization_id, l.queue, q.attempts_max, greatest(0, p_per_organization - (
      SELECT count(*) FROM outbox_job j WHERE j.organization_id = l.organization_id AND j.queue = l.queue AND j.status = 'waiting'
        AND j.handed_at IS NOT NULL AND j.next_at > kt_now())) AS jobs
    FROM lane l JOIN unnest(p_queues, p_attempts) AS q (queue, attempts_max) ON q.queue = l.queue),
  due AS (
    SELECT d.organization_id, d.id, r.attempts_max FROM room r CROSS JOIN LATERAL (
      SELECT j.organization_id, j.id, j.next_at FROM outbox_job j
      WHERE j.organization_id = r.organization_id AND j.queue = r.queue AND j.status = 'waiting' AND j.next_at <= kt_now()
      ORDER BY j.next_at, j.id LIMIT r.jobs FOR UPDATE SKIP LOCKED) d
    ORDER BY d.next_at, d.id LIMIT p_limit),
  taken AS (
    UPDATE outbox_job j SET
      next_at = kt_now() + make_interval(secs => p_silence_ms / 1000.0),
      handed_at = CASE WHEN j.claim_id IS NULL THEN coalesce(j.handed_at, kt_now()) ELSE kt_now() END, claim_id = NULL, claimed_until = NULL,
      attempts_max = greatest(j.attempts, d.attempts_max),
      status = CASE WHEN j.attempts >= d.attempts_max THEN 'dead' ELSE 'waiting' END,
      finished_at = CASE WHEN j.attempts >= d.attempts_max THEN kt_now() END,
      outcome = CASE WHEN j.attempts >= d.attempts_max THEN jsonb_build_object('ok', false, 'reason', 'the run ended without a word') ELSE j.outcome END
    FROM due d WHERE j.organization_id = d.organization_id AND j.id = d.id
    RETURNING j.organization_id, j.id, j.queue, j.attempts, j.status)
  SELECT t.organization_id, t.id, t.queue, t.attempts FROM taken t WHERE t.status = 'waiting' ORDER BY t.id;
END $$;

ALTER FUNCTION outbox_jobs_take OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION outbox_jobs_take FROM PUBLIC;
GRANT EXECUTE ON FUNCTION outbox_jobs_take TO kilotoken_backoffice, kilotoken_app;
