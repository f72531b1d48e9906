-- Moves p_need plus up to p_spare to the session where the limit has them; less, where it has p_least. The spare part is at most an
-- eighth of the remainder. Where p_need is missing, unused slices of other sessions are recalled.
CREATE OR REPLACE FUNCTION limit_take(p_session uuid, l usage_limit, p_subject text, p_first_usage uuid, p_need numeric, p_least numeric, p_spare numeric,
  p_zone text, p_now timestamptz) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE w record; v_left numeric; v_take numeric := 0;
BEGIN
  SELECT * INTO w FROM limit_window(l, p_zone, p_now);
  SELECT l.amount - coalesce(sum(c.taken), 0) INTO v_left FROM limit_counter c
    WHERE c.organization_id = l.organization_id AND c.limit_id = l.id AND c.subject = p_subject AND c.window_end_ms > w.counted_from_ms;
  IF v_left > 0 AND v_left >= p_least THEN
    v_take := least(v_left, p_need + least(p_spare, greatest(0, trunc((v_left - p_need) / 8, CASE l.measure WHEN 'money' THEN 12 ELSE 0 END))));
  END IF;
  IF v_take > 0 THEN
    INSERT INTO limit_counter AS c (organization_id, limit_id, subject, window_start_ms, window_end_ms, taken, expires_at)
      VALUES (l.organization_id, l.id, p_subject, w.start_ms, w.end_ms, v_take, CASE l.window_kind WHEN 'none' THEN 'infinity'::timestamptz
        ELSE 'epoch'::timestamptz + (w.end_ms + w.counts_for_ms) * interval '1 millisecond' + CASE l.window_kind WHEN 'rolling' THEN interval '1 minute' ELSE interval '1 day' END END)
      ON CONFLICT (organization_id, limit_id, subject, window_start_ms) DO UPDATE SET taken = c.taken + v_take;
    INSERT INTO limit_slice AS s (organization_id, limit_id, subject, window_start_ms, session_id, amount, first_usage_id)
      VALUES (l.organization_id, l.id, p_subject, w.start_ms, p_session, v_take, p_first_usage)
      ON CONFLICT (organization_id, limit_id, subject, window_start_ms, session_id) DO UPDATE SET amount = s.amount + v_take, may_return = true;
  END IF;
  IF v_left < p_need THEN
    UPDATE limit_slice SET recalled_at = p_now WHERE organization_id = l.organization_id AND limit_id = l.id AND subject = p_subject
      AND session_id <> p_session AND recalled_at IS NULL AND may_return AND window_start_ms >= w.counted_from_ms;
  END IF;
END $$;

REVOKE ALL ON FUNCTION limit_take FROM PUBLIC;
GRANT EXECUTE ON FUNCTION limit_take TO kilotoken_definer;
