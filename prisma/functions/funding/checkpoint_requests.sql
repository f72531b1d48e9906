-- Opens or checkpoints running requests. p_rows: [{organization, id, holds, settlement}], settlement being usage rows. Diagnostics that
-- Postgres refuses are brought within their bounds, as by usage_insert: a request without a checkpoint is free when its gateway dies.
-- Answers the number of written rows.
CREATE OR REPLACE FUNCTION checkpoint_requests(p_session uuid, p_rows json) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM session_fence(p_session);
  BEGIN
    RETURN checkpoint_write(p_session, p_rows);
  EXCEPTION WHEN data_exception THEN NULL;
  END;
  RETURN checkpoint_write(p_session, (
    SELECT json_agg(jsonb_build_object('organization', r.value -> 'organization', 'id', r.value -> 'id', 'holds', r.value -> 'holds', 'settlement',
      (SELECT jsonb_agg(usage_storable(s.value, kt_now()) ORDER BY s.ordinality) FROM json_array_elements(r.value -> 'settlement') WITH ORDINALITY s)))
    FROM json_array_elements(json_storable(p_rows)) r));
END $$;

ALTER FUNCTION checkpoint_requests OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION checkpoint_requests FROM PUBLIC;
GRANT EXECUTE ON FUNCTION checkpoint_requests TO kilotoken_gateway, kilotoken_app;
