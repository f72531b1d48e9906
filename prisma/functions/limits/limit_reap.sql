-- Gives back the slices of a reaped session. Its running requests are over, so their concurrency is free. Its usage rows prove its use of
-- calendar windows in tokens and money. Admitted requests and the use of rolling windows are unknown where it left no row: they stay
-- counted until they leave the window, so that no limit is ever exceeded. No usage row carries the name of the rest, so amounts taken for
-- the rest's end users stay counted too.
CREATE OR REPLACE FUNCTION limit_reap(p_session uuid) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_organization uuid; v_slices integer;
BEGIN
  FOR v_organization IN SELECT DISTINCT organization_id FROM limit_slice WHERE session_id = p_session ORDER BY 1 LOOP
    PERFORM pg_advisory_xact_lock(hashtextextended('limits' || v_organization::text, 0));
  END LOOP;
  WITH slice AS MATERIALIZED (
    SELECT s.*, n.window_end_ms, l.subject_kind, l.measure, l.unit, l.window_kind,
      l.window_kind IN ('day', 'week', 'month') AND l.measure <> 'requests' AND NOT (l.subject_kind = 'end_user' AND s.subject = limit_rest()) AS is_known
    FROM limit_slice s JOIN usage_limit l ON l.organization_id = s.organization_id AND l.id = s.limit_id
    JOIN limit_counter n ON n.organization_id = s.organization_id AND n.limit_id = s.limit_id AND n.subject = s.subject AND n.window_start_ms = s.window_start_ms
    WHERE s.session_id = p_session),
  used AS (
    SELECT s.organization_id, s.limit_id, s.subject, s.window_start_ms, sum(CASE s.measure
        WHEN 'money' THEN coalesce((SELECT a.charge FROM usage_amounts(u) a WHERE a.unit = s.unit), 0)
        WHEN 'input_tokens' THEN t.input WHEN 'output_tokens' THEN t.output ELSE t.input + t.output END) AS amount
    FROM (SELECT DISTINCT ON (organization_id) organization_id, first_usage_id FROM slice WHERE is_known ORDER BY organization_id, first_usage_id) o
    JOIN usage u ON u.organization_id = o.organization_id AND u.session_id = p_session AND u.id >= o.first_usage_id
    CROSS JOIN LATERAL (SELECT coalesce(sum(n.tokens) FILTER (WHERE n.is_output), 0) AS output, coalesce(sum(n.tokens) FILTER (WHERE NOT n.is_output), 0) AS input
      FROM (SELECT CASE jsonb_typeof(value) WHEN 'number' THEN value::numeric END AS tokens, key IN ('output', 'reasoning', 'audio_out', 'image_out') AS is_output
        FROM jsonb_each(u.counts)) n) t
    LEFT JOIN api_key k ON k.organization_id = u.organization_id AND k.id = u.api_key_id
    CROSS JOIN LATERAL (VALUES ('organization', u.organization_id::text), ('project', u.project_id::text),
      ('key', coalesce(k.lineage_id, u.api_key_id)::text), ('end_user', coalesce(u.end_user, ''))) AS of(kind, subject)
    JOIN slice s ON s.is_known AND s.organization_id = u.organization_id AND s.subject_kind = of.kind AND s.subject = of.subject AND u.id >= s.first_usage_id
      AND u.admitted_at >= 'epoch'::timestamptz + s.window_start_ms * interval '1 millisecond' AND u.admitted_at < 'epoch'::timestamptz + s.window_end_ms * interval '1 millisecond'
    GROUP BY 1, 2, 3, 4)
  UPDATE limit_counter c SET taken = greatest(0, c.taken - s.amount + CASE WHEN s.is_known THEN least(s.amount, coalesce(u.amount, 0)) WHEN s.window_kind = 'none' THEN 0 ELSE s.amount END)
  FROM slice s LEFT JOIN used u ON u.organization_id = s.organization_id AND u.limit_id = s.limit_id AND u.subject = s.subject AND u.window_start_ms = s.window_start_ms
  WHERE c.organization_id = s.organization_id AND c.limit_id = s.limit_id AND c.subject = s.subject AND c.window_start_ms = s.window_start_ms;
  DELETE FROM limit_slice WHERE session_id = p_session;
  GET DIAGNOSTICS v_slices = ROW_COUNT;
  DELETE FROM limit_ask WHERE session_id = p_session;
  RETURN v_slices;
END $$;

REVOKE ALL ON FUNCTION limit_reap FROM PUBLIC;
GRANT EXECUTE ON FUNCTION limit_reap TO kilotoken_definer;
