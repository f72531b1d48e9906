-- Bills a reaped session's open requests row by row and puts each row that Postgres refuses into quarantine. Answers the number of billed
-- rows.
CREATE OR REPLACE FUNCTION session_reap_one_by_one(p_session uuid) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE e record; v_billed integer := 0; v_flush bigint := -1;
BEGIN
  FOR e IN SELECT o.organization_id, o.id, s.value, s.ordinality - 1 AS attempt
           FROM open_request o CROSS JOIN LATERAL jsonb_array_elements(o.settlement) WITH ORDINALITY s
           WHERE o.session_id = p_session ORDER BY o.organization_id, o.id, s.ordinality LOOP
    BEGIN
      v_billed := v_billed + (usage_insert(p_session, v_flush, json_build_array(e.value))).written;
      v_flush := v_flush - 1;
    EXCEPTION WHEN data_exception OR integrity_constraint_violation OR cardinality_violation OR program_limit_exceeded THEN
      INSERT INTO usage_quarantine (organization_id, id, attempt, session_id, reason, raw)
        VALUES (e.organization_id, e.id, e.attempt, p_session, 'reap:' || SQLSTATE, convert_to(e.value::text, 'UTF8')) ON CONFLICT DO NOTHING;
    END;
  END LOOP;
  RETURN v_billed;
END $$;

REVOKE ALL ON FUNCTION session_reap_one_by_one FROM PUBLIC;
GRANT EXECUTE ON FUNCTION session_reap_one_by_one TO kilotoken_definer;
