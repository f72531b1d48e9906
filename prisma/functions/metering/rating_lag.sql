-- The backlog of rating: waiting flushes, counted up to 10,001, and the age of the oldest. A session's flushes ascend, so its first one
-- is its oldest; flushes billed by a reaper descend from −1. So this reads two flushes a session, however many wait.
CREATE OR REPLACE FUNCTION rating_lag() RETURNS TABLE (batches bigint, oldest_seconds double precision)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
  WITH RECURSIVE waiting AS (
    (SELECT session_id FROM unrated_batch ORDER BY session_id LIMIT 1)
    UNION ALL
    SELECT (SELECT b.session_id FROM unrated_batch b WHERE b.session_id > w.session_id ORDER BY b.session_id LIMIT 1) FROM waiting w WHERE w.session_id IS NOT NULL),
  oldest AS (
    SELECT least(
      (SELECT b.created_at FROM unrated_batch b WHERE b.session_id = w.session_id AND b.flush >= 0 ORDER BY b.flush LIMIT 1),
      (SELECT b.created_at FROM unrated_batch b WHERE b.session_id = w.session_id AND b.flush < 0 ORDER BY b.flush DESC LIMIT 1)) AS created_at
    FROM waiting w WHERE w.session_id IS NOT NULL)
  SELECT (SELECT count(*) FROM (SELECT FROM unrated_batch LIMIT 10001) AS bounded),
    coalesce((SELECT extract(epoch FROM kt_now() - min(created_at)) FROM oldest), 0)::double precision
$$;

ALTER FUNCTION rating_lag OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION rating_lag FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rating_lag TO kilotoken_metering, kilotoken_app, kilotoken_control, kilotoken_api, kilotoken_staff;
