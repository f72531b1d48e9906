-- The invitation whose secret has this SHA-256, where it can still be accepted.
CREATE OR REPLACE FUNCTION invitation_of(p_token_hash bytea)
RETURNS TABLE (organization_id uuid, id uuid, email text, role text, organization_name text, expires_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT i.organization_id, i.id, i.email, i.role, o.name, i.expires_at FROM invitation i JOIN organization o ON o.id = i.organization_id
  WHERE i.token_hash = p_token_hash AND i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > kt_now()
$$;

ALTER FUNCTION invitation_of OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION invitation_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION invitation_of TO kilotoken_sign_in;
