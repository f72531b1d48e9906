-- Checks the next p_count budgets, in the order of their keys after (p_organization, p_limit), and puts one event for each percent of
-- `alert_percents` that a budget's use has reached: once for each percent, amount and period. The counter includes amounts that gateways
-- have set aside, so it only selects candidates. The amount used decides (`budget_used`), so no alert comes too early. For end users the
-- counter decides, and the event names the first user. A rolling window has periods of a day, or of its length if that is longer. Answers
-- {checked, alerted, organization, limit}; the last two continue the round.
CREATE OR REPLACE FUNCTION budget_alerts_check(p_organization uuid, p_limit uuid, p_count integer) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  l usage_limit; v_zone text; w record; v_subject text; v_taken numeric; v_used numeric; v_percent smallint; v_start timestamptz; v_end timestamptz; v_span_ms bigint;
  v_checked integer := 0; v_alerted integer := 0; v_organization uuid; v_limit uuid; v_percents smallint[];
BEGIN
  FOR l IN
    SELECT u.* FROM usage_limit u
    WHERE (u.measure = 'money' OR u.window_kind IN ('day', 'week', 'month') AND u.measure <> 'requests') AND u.amount > 0 AND cardinality(u.alert_percents) > 0
      AND (p_organization IS NULL OR (u.organization_id, u.id) > (p_organization, p_limit))
    ORDER BY u.organization_id, u.id LIMIT p_count LOOP
    v_checked := v_checked + 1;
    v_organization := l.organization_id;
    v_limit := l.id;
    SELECT time_zone INTO v_zone FROM organization WHERE id = l.organization_id;
    SELECT * INTO w FROM limit_window(l, v_zone, kt_now());
    SELECT c.subject, sum(c.taken) INTO v_subject, v_taken FROM limit_counter c
      WHERE c.organization_id = l.organization_id AND c.limit_id = l.id AND c.window_end_ms > w.counted_from_ms GROUP BY c.subject ORDER BY 2 DESC, 1 LIMIT 1;
    v_start := 'epoch'::timestamptz + w.start_ms * interval '1 millisecond';
    v_end := 'epoch'::timestamptz + w.end_ms * interval '1 millisecond';
    IF l.window_kind = 'rolling' THEN
      v_span_ms := greatest(l.window_ms, 86400000);
      v_start := 'epoch'::timestamptz + floor(extract(epoch FROM kt_now()) * 1000 / v_span_ms) * v_span_ms * interval '1 millisecond';
      v_end := v_start + v_span_ms * interval '1 millisecond';
    END IF;
    SELECT array_agg(DISTINCT p ORDER BY p) INTO v_percents FROM unnest(l.alert_percents) AS p WHERE coalesce(v_taken, 0) * 100 >= l.amount * p AND NOT EXISTS (
      SELECT FROM budget_alert a WHERE a.organization_id = l.organization_id AND a.limit_id = l.id AND a.period_start = v_start AND a.percent = p AND a.amount = l.amount);
    CONTINUE WHEN v_percents IS NULL;
    v_used := CASE WHEN l.subject_kind = 'end_user' THEN v_taken
      ELSE budget_used(l, CASE l.window_kind WHEN 'rolling' THEN kt_now() - l.window_ms * interval '1 millisecond' ELSE v_start END) END;
    FOREACH v_percent IN ARRAY v_percents LOOP
      CONTINUE WHEN v_used * 100 < l.amount * v_percent;
      INSERT INTO budget_alert (organization_id, limit_id, period_start, percent, amount, used) VALUES (l.organization_id, l.id, v_start, v_percent, l.amount, v_used) ON CONFLICT DO NOTHING;
      CONTINUE WHEN NOT FOUND;
      PERFORM outbox_put(l.organization_id, 'budget.alerted', concat_ws(':', l.id, floor(extract(epoch FROM v_start) * 1000), v_percent, trim_scale(l.amount)),
        jsonb_build_object('limit_id', l.id, 'subject_kind', l.subject_kind, 'subject', v_subject, 'measure', l.measure, 'unit', l.unit, 'window', l.window_kind,
          'amount', trim_scale(l.amount)::text, 'percent', v_percent, 'used', trim_scale(v_used)::text, 'window_start', iso_moment(v_start), 'window_end', iso_moment(v_end)));
      v_alerted := v_alerted + 1;
    END LOOP;
  END LOOP;
  RETURN json_build_object('checked', v_checked, 'alerted', v_alerted, 'organization', v_organization, 'limit', v_limit);
END $$;

ALTER FUNCTION budget_alerts_check OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION budget_alerts_check FROM PUBLIC;
GRANT EXECUTE ON FUNCTION budget_alerts_check TO kilotoken_backoffice, kilotoken_app;
