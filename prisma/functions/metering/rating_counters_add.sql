-- Adds a rating's counts to the counters that it has locked. p_counters: [{root, accumulator, period, counted}].
CREATE OR REPLACE FUNCTION rating_counters_add(p_counters json) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
  UPDATE rating_counter k SET value = k.value + r.counted, published = k.value + r.counted, published_at = kt_now()
  FROM json_to_recordset(p_counters) AS r(root uuid, accumulator text, period timestamptz, counted numeric)
  WHERE k.account_root_id = r.root AND k.accumulator = r.accumulator AND k.period = r.period
$$;

ALTER FUNCTION rating_counters_add OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION rating_counters_add FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rating_counters_add TO kilotoken_metering, kilotoken_app;
