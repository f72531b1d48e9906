-- The state of each queue, and of undispatched events as queue `outbox`. due_seconds: the wait of the oldest due job. stuck_seconds: the
-- same without jobs that wait for others of their own organization, which has p_per_organization at a time.
CREATE OR REPLACE FUNCTION outbox_state(p_per_organization integer)
RETURNS TABLE (queue text, waiting bigint, waiting_seconds double precision, due_seconds double precision, stuck_seconds double precision, running bigint,
  dead bigint, dead_seconds double precision)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
  WITH job AS (
    SELECT j.organization_id, j.queue, j.created_at, coalesce(j.claimed_until > kt_now(), false) AS runs, j.handed_at IS NOT NULL AND j.next_at > kt_now() AS handed,
      CASE WHEN j.claim_id IS NULL THEN coalesce(j.handed_at, j.next_at) ELSE j.next_at END AS due_at
    FROM outbox_job j WHERE j.status = 'waiting'),
  lane AS (
    SELECT j.queue, count(*) AS waiting, min(j.created_at) AS created_at, count(*) FILTER (WHERE j.runs) AS running, min(j.due_at) FILTER (WHERE NOT j.runs) AS due_at,
      CASE WHEN count(*) FILTER (WHERE j.handed) < p_per_organization THEN min(j.due_at) FILTER (WHERE NOT j.runs) ELSE min(j.due_at) FILTER (WHERE NOT j.runs AND j.handed) END AS stuck_at
    FROM job j GROUP BY j.organization_id, j.queue),
  alive AS (
    SELECT l.queue, sum(l.waiting)::bigint AS waiting, min(l.created_at) AS created_at, min(l.due_at) AS due_at, min(l.stuck_at) AS stuck_at, sum(l.running)::bigint AS running
    FROM lane l GROUP BY l.queue
    UNION ALL
    SELECT 'outbox', count(*), min(e.created_at), min(e.created_at), min(e.created_at), 0 FROM outbox_event e WHERE e.sequence IS NULL),
  ended AS (SELECT j.queue, count(*) AS dead, min(j.created_at) AS created_at FROM outbox_job j WHERE j.status = 'dead' GROUP BY j.queue)
  SELECT queue, coalesce(a.waiting, 0),
    greatest(0, coalesce(extract(epoch FROM kt_now() - a.created_at), 0))::double precision,
    greatest(0, coalesce(extract(epoch FROM kt_now() - a.due_at), 0))::double precision,
    greatest(0, coalesce(extract(epoch FROM kt_now() - a.stuck_at), 0))::double precision,
    coalesce(a.running, 0), coalesce(d.dead, 0),
    greatest(0, coalesce(extract(epoch FROM kt_now() - d.created_at), 0))::double precision
  FROM alive a FULL JOIN ended d USING (queue)
$$;

ALTER FUNCTION outbox_state OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION outbox_state FROM PUBLIC;
GRANT EXECUTE ON FUNCTION outbox_state TO kilotoken_backoffice, kilotoken_app, kilotoken_staff;
