-- Inserts usage rows of a flush, queues them for the rater and closes their open requests. Only rows that this INSERT wrote are queued:
-- executed again it writes and queues none. Answers the numbers of given and of written rows. Where Postgres refuses a row's contents,
-- the flush is written again with every diagnostic within its bounds. A row that is refused then is wrong in its money or its identity.
CREATE OR REPLACE FUNCTION usage_insert(p_session uuid, p_flush bigint, p_rows json, OUT given integer, OUT written integer)
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_reason text;
BEGIN
  BEGIN
    SELECT w.given, w.written INTO given, written FROM usage_write(p_session, p_flush, p_rows) w;
    RETURN;
  EXCEPTION WHEN data_exception OR not_null_violation OR check_violation THEN
    v_reason := SQLSTATE || ' ' || SQLERRM;
  END;
  SELECT w.given, w.written INTO given, written FROM usage_write(p_session, p_flush, (
    SELECT json_agg(usage_storable(r.value, kt_now()) ORDER BY r.ordinality) FROM json_array_elements(json_storable(p_rows)) WITH ORDINALITY r)) w;
  -- To the server's log alone: a gateway takes a warning for an unconfirmed commit.
  RAISE LOG 'flush % of session %: diagnostics were brought within their bounds (%)', p_flush, p_session, v_reason;
END $$;

REVOKE ALL ON FUNCTION usage_insert FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usage_insert TO kilotoken_definer;
