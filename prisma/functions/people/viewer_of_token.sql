-- The service token with this SHA-256; no row where it has expired or was revoked. Records its use, to the minute.
CREATE OR REPLACE FUNCTION viewer_of_token(p_hash bytea)
RETURNS TABLE (token_id uuid, name text, organization_id uuid, role text, permissions text[], descendant_ids jsonb)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  UPDATE service_token t SET last_used_at = kt_now()
    WHERE t.hash = p_hash AND t.revoked_at IS NULL AND t.expires_at > kt_now() AND coalesce(t.last_used_at, '-infinity') < kt_now() - interval '1 minute';
  RETURN QUERY SELECT t.id, t.name, t.organization_id, t.role, t.permissions,
      CASE WHEN t.role IN ('owner', 'billing') THEN organization_descendants(t.organization_id) ELSE '[]' END
    FROM service_token t WHERE t.hash = p_hash AND t.revoked_at IS NULL AND t.expires_at > kt_now();
END $$;

ALTER FUNCTION viewer_of_token OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION viewer_of_token FROM PUBLIC;
GRANT EXECUTE ON FUNCTION viewer_of_token TO kilotoken_api;
