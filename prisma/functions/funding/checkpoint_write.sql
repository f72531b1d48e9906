-- The writing part of checkpoint_requests. A late execution does not reopen a settled request, or one whose settlement is in quarantine.
-- Requests of other sessions stay as they are.
CREATE OR REPLACE FUNCTION checkpoint_write(p_session uuid, p_rows json) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_written integer;
BEGIN
  INSERT INTO open_request AS o (organization_id, id, session_id, holds, settlement)
    SELECT r.organization, r.id, p_session, r.holds, r.settlement
    FROM json_to_recordset(p_rows) AS r(organization uuid, id uuid, holds jsonb, settlement jsonb)
    WHERE NOT EXISTS (SELECT FROM usage u WHERE u.organization_id = r.organization AND u.id = r.id)
      AND NOT EXISTS (SELECT FROM usage_quarantine q WHERE q.organization_id = r.organization AND q.id = r.id AND q.reason LIKE 'settle:%')
    ORDER BY r.organization, r.id
    ON CONFLICT (organization_id, id) DO UPDATE SET settlement = excluded.settlement, holds = excluded.holds, checkpoint_at = kt_now()
      WHERE o.session_id = p_session;
  GET DIAGNOSTICS v_written = ROW_COUNT;
  RETURN v_written;
END $$;

REVOKE ALL ON FUNCTION checkpoint_write FROM PUBLIC;
GRANT EXECUTE ON FUNCTION checkpoint_write TO kilotoken_definer;
