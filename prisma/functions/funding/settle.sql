-- Stores one flush of a gateway in one transaction. An existing row is the caller's only if session, flush, counts and charge match,
-- compared by their storable values; anything else is an error (KT002): two requests under one id. Answers the number of rows that this
-- execution wrote.
CREATE OR REPLACE FUNCTION settle(p_session uuid, p_flush bigint, p_rows json) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_given integer; v_written integer; v_foreign text;
BEGIN
  PERFORM session_fence(p_session);
  SELECT i.given, i.written INTO v_given, v_written FROM usage_insert(p_session, p_flush, p_rows) i;
  IF v_written < v_given THEN
    SELECT string_agg(r.id::text, ', ') INTO v_foreign
    FROM json_to_recordset(json_storable(p_rows)) AS r(organization uuid, id uuid, attempt smallint, counts jsonb, charge numeric, portions jsonb)
    LEFT JOIN usage u ON u.organization_id = r.organization AND u.id = r.id AND u.attempt = r.attempt
      AND u.session_id = p_session AND u.flush = p_flush AND u.counts = r.counts AND u.charge = r.charge AND u.portions IS NOT DISTINCT FROM r.portions
    WHERE u.id IS NULL;
    IF v_foreign IS NOT NULL THEN RAISE EXCEPTION 'usage % exists with other contents', v_foreign USING ERRCODE = 'KT002'; END IF;
  END IF;
  RETURN v_written;
END $$;

ALTER FUNCTION settle OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION settle FROM PUBLIC;
GRANT EXECUTE ON FUNCTION settle TO kilotoken_gateway, kilotoken_app;
