-- Deletes ended jobs of p_queues after each queue's days, then events without jobs that were dispatched p_event_days ago. At most p_limit
-- of each; answers the number of deleted rows.
CREATE OR REPLACE FUNCTION outbox_forget(p_queues text[], p_days integer[], p_event_days integer, p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_jobs integer; v_events integer;
BEGIN
  DELETE FROM outbox_job WHERE (organization_id, id) IN (
    SELECT j.organization_id, j.id FROM outbox_job j JOIN unnest(p_queues, p_days) AS q (queue, days) ON q.queue = j.queue
    WHERE j.status <> 'waiting' AND j.finished_at < kt_now() - make_interval(days => q.days) LIMIT p_limit FOR UPDATE OF j SKIP LOCKED);
  GET DIAGNOSTICS v_jobs = ROW_COUNT;
  DELETE FROM outbox_event WHERE (organization_id, id) IN (
    SELECT e.organization_id, e.id FROM outbox_event e WHERE e.sequence IS NOT NULL AND e.created_at < kt_now() - make_interval(days => p_event_days)
      AND NOT EXISTS (SELECT FROM outbox_job j WHERE j.organization_id = e.organization_id AND j.event_id = e.id) LIMIT p_limit);
  GET DIAGNOSTICS v_events = ROW_COUNT;
  RETURN v_jobs + v_events;
END $$;

ALTER FUNCTION outbox_forget OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION outbox_forget FROM PUBLIC;
GRANT EXECUTE ON FUNCTION outbox_forget TO kilotoken_backoffice, kilotoken_app;
