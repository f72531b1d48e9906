-- The day, week or month of a time zone around a moment. Windows follow each other without gap or overlap, even where a clock change
-- skips midnight or repeats it: each begins at the one moment to which local midnight resolves.
CREATE OR REPLACE FUNCTION calendar_window(p_kind text, p_zone text, p_at timestamptz, OUT starts_at timestamptz, OUT ends_at timestamptz)
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_local timestamp := date_trunc(p_kind, p_at AT TIME ZONE p_zone); v_step interval := ('1 ' || p_kind)::interval;
BEGIN
  IF v_local AT TIME ZONE p_zone > p_at THEN v_local := v_local - v_step; END IF;
  IF (v_local + v_step) AT TIME ZONE p_zone <= p_at THEN v_local := v_local + v_step; END IF;
  starts_at := v_local AT TIME ZONE p_zone;
  ends_at := (v_local + v_step) AT TIME ZONE p_zone;
END $$;

REVOKE ALL ON FUNCTION calendar_window FROM PUBLIC;
GRANT EXECUTE ON FUNCTION calendar_window TO kilotoken_definer, kilotoken_control, kilotoken_api, kilotoken_staff;
