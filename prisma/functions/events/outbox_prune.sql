-- Forgets jobs that ended p_days ago, then dispatched events without a job. Answers how many rows went.
CREATE OR REPLACE FUNCTION outbox_prune(p_days integer, p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_jobs integer; v_events integer; v_end timestamptz := kt_now() - make_interval(days => p_days);
BEGIN
  DELETE FROM outbox_job WHERE (organization_id, id) IN (
    SELECT j.organization_id, j.id FROM outbox_job j WHERE j.status <> 'waiting' AND j.finished_at < v_end LIMIT p_limit FOR UPDATE SKIP LOCKED);
  GET DIAGNOSTICS v_jobs = ROW_COUNT;
  DELETE FROM outbox_event WHERE (organization_id, id) IN (
    SELECT e.organization_id, e.id FROM outbox_event e WHERE e.sequence IS NOT NULL AND e.created_at < v_end
      AND NOT EXISTS (SELECT FROM outbox_job j WHERE j.organization_id = e.organization_id AND j.event_id = e.id) LIMIT p_limit);
  GET DIAGNOSTICS v_events = ROW_COUNT;
  RETURN v_jobs + v_events;
END $$;

ALTER FUNCTION outbox_prune OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION outbox_prune FROM PUBLIC;
GRANT EXECUTE ON FUNCTION outbox_prune TO kilotoken_backoffice, kilotoken_app;
