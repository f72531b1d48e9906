-- Deletes at most p_most expired claims, which have no effect and only take room. Answers the number.
CREATE OR REPLACE FUNCTION idempotency_expire(p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_deleted integer;
BEGIN
  DELETE FROM idempotency_claim WHERE (organization_id, key) IN (
    SELECT organization_id, key FROM idempotency_claim WHERE expires_at <= kt_now() ORDER BY expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED);
  GET DIAGNOSTICS v_deleted = ROW_COUNT;
  RETURN v_deleted;
END $$;

ALTER FUNCTION idempotency_expire OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION idempotency_expire FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idempotency_expire TO kilotoken_metering, kilotoken_app;
