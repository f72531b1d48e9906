-- The counter for a moment: its key and end, the moment from which it may be used, `counted_from_ms` (every counter that ends after it
-- counts against the limit), and the time for which a counter of this limit counts after its end.
--
-- A rolling window plus half a second, by which clocks of gateways may differ, is cut into parts. Amounts taken in one part are counted
-- in the next and may be used until that one ends, so a gateway can take ahead for a part's length. An interval of the window's length
-- touches at most parts + 1 of them, whose uses are counted in at most parts + 2. Calendar windows that overlap, as after a change of the
-- time zone, count together.
CREATE OR REPLACE FUNCTION limit_window(l usage_limit, p_zone text, p_now timestamptz, OUT start_ms bigint, OUT from_ms bigint, OUT end_ms bigint,
  OUT counted_from_ms bigint, OUT counts_for_ms bigint)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  v_span_ms bigint := l.window_ms + 500;
  v_parts bigint := least(30, greatest(1, v_span_ms / 500));
  v_part_ms bigint := ceil(v_span_ms::numeric / v_parts);
  v_part bigint := floor(extract(epoch FROM p_now) * 1000 / v_part_ms) + 1;
BEGIN
  IF l.window_kind = 'none' THEN
    start_ms := 0; from_ms := 0; end_ms := 8640000000000000; counted_from_ms := 0; counts_for_ms := 0;
  ELSIF l.window_kind = 'rolling' THEN
    start_ms := v_part * v_part_ms; from_ms := 0; end_ms := start_ms + v_part_ms;
    counted_from_ms := start_ms - (v_parts + 1) * v_part_ms; counts_for_ms := v_parts * v_part_ms;
  ELSE
    SELECT ceil(extract(epoch FROM w.starts_at) * 1000), ceil(extract(epoch FROM w.ends_at) * 1000) INTO start_ms, end_ms
      FROM calendar_window(l.window_kind, p_zone, p_now) w;
    from_ms := start_ms; counted_from_ms := start_ms; counts_for_ms := 0;
  END IF;
END $$;

REVOKE ALL ON FUNCTION limit_window FROM PUBLIC;
GRANT EXECUTE ON FUNCTION limit_window TO kilotoken_definer, kilotoken_control, kilotoken_api, kilotoken_staff;
