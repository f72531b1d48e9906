-- The person whose session has this token, with a role in each of their organizations; no row where the session has ended, or the person is
-- disabled or erased. p_token is half of a cookie; the caller has checked the signature, the other half.
CREATE OR REPLACE FUNCTION viewer_of_session(p_token text)
RETURNS TABLE (session_id uuid, person_id uuid, name text, email text, locale text, two_factor_enabled boolean, expires_at timestamptz, impersonating uuid, memberships jsonb)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT s.id, p.id, p.name, p.email, p.locale, p.two_factor_enabled, s.expires_at, s.impersonating,
    coalesce((SELECT jsonb_agg(jsonb_build_object('organizationId', m.organization_id, 'role', m.role,
      'descendantIds', CASE WHEN m.role IN ('owner', 'billing') THEN organization_descendants(m.organization_id) ELSE '[]' END) ORDER BY m.created_at, m.organization_id)
      FROM membership m WHERE m.person_id = p.id), '[]')
  FROM sign_in_session s JOIN person p ON p.id = s.person_id
  WHERE s.token = p_token AND s.expires_at > kt_now() AND p.disabled_at IS NULL AND p.erased_at IS NULL
$$;

ALTER FUNCTION viewer_of_session OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION viewer_of_session FROM PUBLIC;
GRANT EXECUTE ON FUNCTION viewer_of_session TO kilotoken_api;
