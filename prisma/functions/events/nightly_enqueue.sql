-- Enqueues the platform's job of the latest night, which began at p_minute of the day in UTC, once a night. A new name's first night
-- counts as done, so an installation does not begin with its nightly work.
CREATE OR REPLACE FUNCTION nightly_enqueue(p_name text, p_queue text, p_minute integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_night date := ((kt_now() AT TIME ZONE 'UTC') - make_interval(mins => p_minute))::date; v_first boolean;
BEGIN
  v_first := NOT EXISTS (SELECT FROM nightly_run WHERE name = p_name);
  INSERT INTO nightly_run (name, night, finished_at, outcome)
    VALUES (p_name, v_night, kt_now(), jsonb_build_object('ok', true, 'reason', CASE WHEN v_first THEN 'registered' ELSE 'enqueued' END)) ON CONFLICT DO NOTHING;
  IF NOT FOUND OR v_first THEN RETURN false; END IF;
  RETURN outbox_enqueue(platform_organization(), p_queue, v_night::text, jsonb_build_object('night', v_night));
END $$;

ALTER FUNCTION nightly_enqueue OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION nightly_enqueue FROM PUBLIC;
GRANT EXECUTE ON FUNCTION nightly_enqueue TO kilotoken_backoffice, kilotoken_app;
