-- Ends a session that a reaper has itself seen silent: fences it, bills its open requests up to their last checkpoint, closes its leases
-- with the amounts that its usage rows allocate, and gives back its limits. One transaction; executed again it changes nothing. Answers
-- {reaped, billed, leases}.
CREATE OR REPLACE FUNCTION session_reap(p_session uuid) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_rows json; v_billed integer := 0; v_leases json; v_closed integer := 0;
BEGIN
  PERFORM FROM session WHERE id = p_session AND reaped_at IS NULL FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN json_build_object('reaped', false, 'billed', 0, 'leases', 0); END IF;
  -- The moment after the fence, not before it: rows that settled during the wait were in time.
  UPDATE session SET reaped_at = kt_now() + (clock_timestamp() - now()) WHERE id = p_session;

  PERFORM FROM credit_grant c WHERE (c.organization_id, c.id) IN
      (SELECT organization_id, grant_id FROM lease WHERE session_id = p_session AND closed_at IS NULL)
    ORDER BY c.organization_id, c.id FOR UPDATE;
  PERFORM FROM lease WHERE session_id = p_session AND closed_at IS NULL ORDER BY organization_id, id FOR UPDATE;
  PERFORM FROM open_request WHERE session_id = p_session ORDER BY organization_id, id FOR UPDATE;

  SELECT json_agg(e) INTO v_rows FROM open_request o CROSS JOIN LATERAL jsonb_array_elements(o.settlement) e WHERE o.session_id = p_session;
  IF v_rows IS NOT NULL THEN
    BEGIN
      v_billed := (usage_insert(p_session, -1, v_rows)).written;
    EXCEPTION WHEN data_exception OR integrity_constraint_violation OR cardinality_violation OR program_limit_exceeded THEN
      -- One bad row must not keep a dead session's money: rows are billed one by one, and bad ones go to quarantine.
      v_billed := session_reap_one_by_one(p_session);
    END;
  END IF;
  DELETE FROM open_request WHERE session_id = p_session;
  DELETE FROM refused_ask WHERE session_id = p_session;

  SELECT json_agg(json_build_object('organization', l.organization_id, 'lease', l.id, 'close', true, 'keep', coalesce((
      SELECT sum((a ->> 'amount')::numeric) FROM usage u CROSS JOIN LATERAL jsonb_array_elements(u.allocations) a
      WHERE u.organization_id = l.organization_id AND u.session_id = p_session AND u.id >= l.first_usage_id AND (a ->> 'lease')::uuid = l.id), 0)))
    INTO v_leases FROM lease l WHERE l.session_id = p_session AND l.closed_at IS NULL;
  IF v_leases IS NOT NULL THEN v_closed := lease_shrink(p_session, v_leases); END IF;
  PERFORM limit_reap(p_session);
  RETURN json_build_object('reaped', true, 'billed', v_billed, 'leases', v_closed);
END $$;

ALTER FUNCTION session_reap OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION session_reap FROM PUBLIC;
GRANT EXECUTE ON FUNCTION session_reap TO kilotoken_app;
