-- A session gives back the part of an organization's limits that it does not need and takes the part that it needs: one call at a time,
-- with ascending ids. p_rows: [{limit, subject, keep, need, least, spare, stopped}], one per counter, `keep` naming all of its slices;
-- `stopped`: it has refused a request, or let it pass with a warning. Executed again it changes nothing and answers the present state.
-- Answers a row per given one; null for a limit that is gone. An end user who shares the rest's counter is answered `rest` and nothing
-- else: its gateway asks for the rest instead.
CREATE OR REPLACE FUNCTION limit_exchange(p_session uuid, p_organization uuid, p_ask uuid, p_first_usage uuid, p_rows json) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_now timestamptz; v_zone text; v_first boolean; v_states json[] := '{}'; l usage_limit; r record; v_rest boolean; v_rows json := json_storable(p_rows);
BEGIN
  PERFORM session_fence(p_session);
  PERFORM pg_advisory_xact_lock(hashtextextended('limits' || p_organization::text, 0));
  -- The moment after the lock, so that windows are used in their order.
  v_now := kt_now() + (clock_timestamp() - now());
  INSERT INTO limit_ask AS a (organization_id, session_id, ask_id) VALUES (p_organization, p_session, p_ask)
    ON CONFLICT (organization_id, session_id) DO UPDATE SET ask_id = excluded.ask_id WHERE a.ask_id < excluded.ask_id;
  v_first := FOUND;
  SELECT o.time_zone INTO v_zone FROM organization o WHERE o.id = p_organization;

  FOR r IN SELECT * FROM json_to_recordset(v_rows) AS r("limit" uuid, subject text, keep json, need numeric, least numeric, spare numeric, stopped boolean) LOOP
    SELECT * INTO l FROM usage_limit u WHERE u.organization_id = p_organization AND u.id = r.limit;
    IF NOT FOUND THEN v_states := v_states || 'null'::json; CONTINUE; END IF;
    v_rest := l.subject_kind = 'end_user' AND r.need + r.spare > 0 AND limit_is_full(l, r.subject, v_zone, v_now);
    IF v_first THEN
      PERFORM limit_keep(p_session, p_organization, r.limit, r.subject, r.keep);
      IF r.need + r.spare > 0 AND NOT v_rest THEN PERFORM limit_take(p_session, l, r.subject, p_first_usage, r.need, r.least, r.spare, v_zone, v_now); END IF;
      IF r.stopped THEN PERFORM limit_event(l, r.subject, v_zone, v_now); END IF;
    END IF;
    v_states := v_states || CASE WHEN v_rest THEN json_build_object('limit', l.id, 'subject', r.subject, 'amount', l.amount::text, 'remaining', '0', 'pending', false,
      'freeAtMs', NULL, 'resetAtMs', NULL, 'slices', '[]'::json, 'rest', true) ELSE limit_state(p_session, l, r.subject, r.least, v_zone, v_now) END;
  END LOOP;

  DELETE FROM limit_counter WHERE (organization_id, limit_id, subject, window_start_ms) IN (
    SELECT organization_id, limit_id, subject, window_start_ms FROM limit_counter WHERE organization_id = p_organization AND expires_at < v_now LIMIT 500);
  RETURN array_to_json(v_states);
END $$;

ALTER FUNCTION limit_exchange OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION limit_exchange FROM PUBLIC;
GRANT EXECUTE ON FUNCTION limit_exchange TO kilotoken_gateway, kilotoken_app;
