-- How much waits: events that are not dispatched, jobs per queue and status, and the age of the oldest of each.
CREATE OR REPLACE FUNCTION outbox_backlog() RETURNS TABLE (queue text, status text, count bigint, oldest_seconds double precision)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT 'outbox', 'waiting', count(*), coalesce(extract(epoch FROM kt_now() - min(created_at)), 0)::double precision FROM outbox_event WHERE sequence IS NULL
  UNION ALL
  SELECT j.queue, j.status, count(*), coalesce(extract(epoch FROM kt_now() - min(j.created_at)), 0)::double precision
  FROM outbox_job j WHERE j.status <> 'done' GROUP BY j.queue, j.status
$$;

ALTER FUNCTION outbox_backlog OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION outbox_backlog FROM PUBLIC;
GRANT EXECUTE ON FUNCTION outbox_backlog TO kilotoken_backoffice, kilotoken_app;
