-- The state of a counter for a session: {limit, subject, amount, remaining, pending, freeAtMs, resetAtMs, slices}. `pending`: others were
-- asked for their unused slices and have not answered; dead processes do not count. `freeAtMs`: the moment when p_least will have left
-- the window; `resetAtMs`: the moment when all will have. Null where time alone does not decide.
CREATE OR REPLACE FUNCTION limit_state(p_session uuid, l usage_limit, p_subject text, p_least numeric, p_zone text, p_now timestamptz) RETURNS json
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE w record; c record;
BEGIN
  SELECT * INTO w FROM limit_window(l, p_zone, p_now);
  SELECT coalesce(sum(n.taken), 0) AS taken, max(n.window_end_ms) FILTER (WHERE n.taken > 0) AS last_ms,
      min(n.window_end_ms) FILTER (WHERE l.amount - n.later >= p_least) AS free_ms INTO c
    FROM (SELECT taken, window_end_ms, sum(taken) OVER (ORDER BY window_start_ms DESC) - taken AS later FROM limit_counter
      WHERE organization_id = l.organization_id AND limit_id = l.id AND subject = p_subject AND window_end_ms > w.counted_from_ms) n;
  RETURN json_build_object('limit', l.id, 'subject', p_subject, 'amount', l.amount::text, 'remaining', greatest(0, l.amount - c.taken)::text,
    'pending', EXISTS (SELECT FROM limit_slice WHERE organization_id = l.organization_id AND limit_id = l.id AND subject = p_subject
      AND session_id <> p_session AND recalled_at > p_now - interval '1 second' AND window_start_ms >= w.counted_from_ms),
    'freeAtMs', CASE WHEN l.window_kind <> 'none' THEN c.free_ms + w.counts_for_ms END,
    'resetAtMs', CASE WHEN l.window_kind <> 'none' THEN c.last_ms + w.counts_for_ms END,
    'slices', (SELECT coalesce(json_agg(json_build_object('start', s.window_start_ms, 'from', CASE WHEN l.window_kind IN ('rolling', 'none') THEN 0 ELSE s.window_start_ms END,
        'until', n.window_end_ms, 'amount', s.amount::text) ORDER BY s.window_start_ms), '[]'::json)
      FROM limit_slice s JOIN limit_counter n ON n.organization_id = s.organization_id AND n.limit_id = s.limit_id AND n.subject = s.subject AND n.window_start_ms = s.window_start_ms
      WHERE s.organization_id = l.organization_id AND s.limit_id = l.id AND s.subject = p_subject AND s.session_id = p_session));
END $$;

REVOKE ALL ON FUNCTION limit_state FROM PUBLIC;
GRANT EXECUTE ON FUNCTION limit_state TO kilotoken_definer;
