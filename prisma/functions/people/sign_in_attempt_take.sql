-- Counts an attempt under each key and answers the caller's wait in milliseconds: 0 where every key is below its limit. A key's window
-- begins with its first attempt. Attempts are counted before they are judged, so that many at once cannot pass together. A refused
-- attempt lengthens no wait. Each call deletes a few ended windows.
CREATE OR REPLACE FUNCTION sign_in_attempt_take(p_keys bytea[], p_most integer[], p_window_ms integer) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  v_wait_ms integer;
BEGIN
  DELETE FROM sign_in_attempt WHERE key IN (SELECT a.key FROM sign_in_attempt a WHERE a.ends_at <= kt_now() ORDER BY a.ends_at LIMIT 20 FOR UPDATE SKIP LOCKED);
  WITH asked AS (SELECT k.key, k.most FROM unnest(p_keys, p_most) AS k(key, most) ORDER BY k.key),
  counted AS (
    INSERT INTO sign_in_attempt AS a (key, attempts, ends_at) SELECT key, 1, kt_now() + p_window_ms * interval '1 millisecond' FROM asked
      ON CONFLICT (key) DO UPDATE SET
        attempts = CASE WHEN a.ends_at <= kt_now() THEN 1 ELSE least(a.attempts + 1, 1000000) END,
        started_at = CASE WHEN a.ends_at <= kt_now() THEN kt_now() ELSE a.started_at END,
        ends_at = CASE WHEN a.ends_at <= kt_now() THEN excluded.ends_at ELSE a.ends_at END
      RETURNING key, attempts, ends_at)
  SELECT coalesce(max(CASE WHEN c.attempts > k.most THEN greatest(1, ceil(extract(epoch FROM c.ends_at - kt_now()) * 1000)) ELSE 0 END), 0) INTO v_wait_ms
    FROM counted c JOIN asked k USING (key);
  RETURN v_wait_ms;
END $$;

REVOKE ALL ON FUNCTION sign_in_attempt_take FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sign_in_attempt_take TO kilotoken_sign_in;
