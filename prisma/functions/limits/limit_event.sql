-- Puts the event of a budget that stopped a request, or passed it with a warning, once a limit and window. For end users it names the
-- first one.
CREATE OR REPLACE FUNCTION limit_event(l usage_limit, p_subject text, p_zone text, p_now timestamptz) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_start_ms bigint; v_end_ms bigint;
BEGIN
  IF l.measure <> 'money' AND (l.window_kind IN ('none', 'rolling') OR l.measure = 'requests') THEN RETURN; END IF;
  SELECT w.start_ms, w.end_ms INTO v_start_ms, v_end_ms FROM limit_window(l, p_zone, p_now) w;
  IF l.window_kind = 'rolling' THEN
    -- A rolling window puts one event a day at most, however short it is.
    v_start_ms := floor(extract(epoch FROM p_now) * 1000 / greatest(l.window_ms, 86400000)) * greatest(l.window_ms, 86400000);
    v_end_ms := v_start_ms + greatest(l.window_ms, 86400000);
  END IF;
  PERFORM outbox_put(l.organization_id, CASE l.mode WHEN 'soft' THEN 'budget.warned' ELSE 'budget.reached' END,
    l.id::text || ':' || v_start_ms::text, jsonb_build_object('limit_id', l.id, 'subject_kind', l.subject_kind, 'subject', p_subject,
      'measure', l.measure, 'unit', l.unit, 'window', l.window_kind, 'amount', trim_scale(l.amount)::text,
      'window_start', iso_moment('epoch'::timestamptz + v_start_ms * interval '1 millisecond'), 'window_end', iso_moment('epoch'::timestamptz + v_end_ms * interval '1 millisecond')));
END $$;

REVOKE ALL ON FUNCTION limit_event FROM PUBLIC;
GRANT EXECUTE ON FUNCTION limit_event TO kilotoken_definer;
