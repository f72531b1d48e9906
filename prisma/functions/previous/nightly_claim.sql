-- Claims the run of a name for the night that began last, at p_minute of the day in UTC. Null when it is done, or a run is under way, or it
-- failed p_attempts_max times. The first time that a name is seen counts as done: an installation does not begin with its nightly work.
-- Answers the night.
CREATE OR REPLACE FUNCTION nightly_claim(p_name text, p_minute integer, p_claim uuid, p_claim_ms integer, p_attempts_max integer) RETURNS date
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_night date := ((kt_now() AT TIME ZONE 'UTC') - make_interval(mins => p_minute))::date; v_claimed date;
BEGIN
  IF NOT EXISTS (SELECT FROM nightly_run WHERE name = p_name) THEN
    INSERT INTO nightly_run (name, night, attempts, claim_id, claimed_until, finished_at, outcome)
      VALUES (p_name, v_night, 0, p_claim, kt_now(), kt_now(), '{"ok": true, "reason": "registered"}') ON CONFLICT DO NOTHING;
    RETURN NULL;
  END IF;
  INSERT INTO nightly_run AS r (name, night, attempts, claim_id, claimed_until)
    VALUES (p_name, v_night, 1, p_claim, kt_now() + make_interval(secs => p_claim_ms / 1000.0))
    ON CONFLICT (name, night) DO UPDATE SET attempts = r.attempts + 1, claim_id = excluded.claim_id, claimed_until = excluded.claimed_until
      WHERE r.finished_at IS NULL AND r.claimed_until <= kt_now() AND r.attempts < p_attempts_max
    RETURNING night INTO v_claimed;
  RETURN v_claimed;
END $$;

ALTER FUNCTION nightly_claim OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION nightly_claim FROM PUBLIC;
GRANT EXECUTE ON FUNCTION nightly_claim TO kilotoken_backoffice, kilotoken_app;
