-- Locks counters for a rating, in their order, and answers their counts. p_counters: [{root, accumulator, period}].
CREATE OR REPLACE FUNCTION rating_counters_take(p_counters json) RETURNS TABLE (account_root_id uuid, accumulator text, period timestamptz, value numeric)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
#variable_conflict use_column
BEGIN
  INSERT INTO rating_counter (account_root_id, accumulator, period)
    SELECT r.root, r.accumulator, r.period FROM json_to_recordset(p_counters) AS r(root uuid, accumulator text, period timestamptz)
    WHERE NOT EXISTS (SELECT FROM rating_counter k WHERE k.account_root_id = r.root AND k.accumulator = r.accumulator AND k.period = r.period)
    ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING;
  RETURN QUERY SELECT k.account_root_id, k.accumulator, k.period, k.value FROM rating_counter k
    WHERE (k.account_root_id, k.accumulator, k.period) IN (
      SELECT r.root, r.accumulator, r.period FROM json_to_recordset(p_counters) AS r(root uuid, accumulator text, period timestamptz))
    ORDER BY 1, 2, 3 FOR UPDATE;
END $$;

ALTER FUNCTION rating_counters_take OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION rating_counters_take FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rating_counters_take TO kilotoken_metering, kilotoken_app;
