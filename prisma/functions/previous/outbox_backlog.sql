-- How much waits: events that are not dispatched, and jobs per queue and status, with the age in seconds of the oldest.
CREATE OR REPLACE FUNCTION outbox_backlog() RETURNS TABLE (queue text, status text, count bigint, oldest_seconds double precision)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT s.queue, k.status, k.count, k.seconds
  FROM outbox_state(1) s CROSS JOIN LATERAL (VALUES ('waiting', s.waiting, s.waiting_seconds), ('dead', s.dead, s.dead_seconds)) AS k (status, count, seconds)
  WHERE k.count > 0 OR (s.queue = 'outbox' AND k.status = 'waiting')
$$;

ALTER FUNCTION outbox_backlog OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION outbox_backlog FROM PUBLIC;
GRANT EXECUTE ON FUNCTION outbox_backlog TO kilotoken_backoffice, kilotoken_app;
