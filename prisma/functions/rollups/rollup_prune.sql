-- Moves the horizon to p_days ago and deletes up to p_rows rollups by the minute before it. Answers the number.
CREATE OR REPLACE FUNCTION rollup_prune(p_days integer, p_rows integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_from timestamptz := date_bin('1 day', kt_now() - make_interval(days => greatest(p_days, 2)), 'epoch'); v_rows bigint;
BEGIN
  UPDATE rollup_horizon SET minutes_from = v_from WHERE minutes_from < v_from;
  DELETE FROM usage_rollup WHERE ctid = ANY (ARRAY(
    SELECT r.ctid FROM usage_rollup r WHERE r.grain_minutes = 1 AND r.starts_at < (SELECT minutes_from FROM rollup_horizon) LIMIT p_rows));
  GET DIAGNOSTICS v_rows = ROW_COUNT;
  RETURN v_rows;
END $$;

ALTER FUNCTION rollup_prune OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION rollup_prune FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rollup_prune TO kilotoken_metering, kilotoken_app;
