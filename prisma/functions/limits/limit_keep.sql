-- Returns slices of a counter down to the amounts that a session keeps. p_keep: [{start, keep, open, close}], absolute amounts. Of an open slice more may come
-- back; a closed slice is gone, and what it keeps stays counted.
CREATE OR REPLACE FUNCTION limit_keep(p_session uuid, p_organization uuid, p_limit uuid, p_subject text, p_keep json) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE k record; v_had numeric;
BEGIN
  FOR k IN SELECT * FROM json_to_recordset(p_keep) AS g(start bigint, keep numeric, open boolean, close boolean) ORDER BY g.start LOOP
    SELECT s.amount INTO v_had FROM limit_slice s WHERE s.organization_id = p_organization AND s.limit_id = p_limit AND s.subject = p_subject
      AND s.window_start_ms = k.start AND s.session_id = p_session FOR UPDATE;
    CONTINUE WHEN NOT FOUND;
    IF k.close THEN
      DELETE FROM limit_slice WHERE organization_id = p_organization AND limit_id = p_limit AND subject = p_subject AND window_start_ms = k.start AND session_id = p_session;
    ELSE
      UPDATE limit_slice SET amount = least(v_had, k.keep), may_return = k.open, recalled_at = NULL
        WHERE organization_id = p_organization AND limit_id = p_limit AND subject = p_subject AND window_start_ms = k.start AND session_id = p_session;
    END IF;
    UPDATE limit_counter SET taken = taken - greatest(0, v_had - k.keep)
      WHERE organization_id = p_organization AND limit_id = p_limit AND subject = p_subject AND window_start_ms = k.start;
  END LOOP;
  DELETE FROM limit_counter c WHERE c.organization_id = p_organization AND c.limit_id = p_limit AND c.subject = p_subject AND c.taken = 0
    AND NOT EXISTS (SELECT FROM limit_slice s WHERE s.organization_id = c.organization_id AND s.limit_id = c.limit_id AND s.subject = c.subject AND s.window_start_ms = c.window_start_ms);
END $$;

REVOKE ALL ON FUNCTION limit_keep FROM PUBLIC;
GRANT EXECUTE ON FUNCTION limit_keep TO kilotoken_definer;
