-- Makes the person a member by the invitation whose secret has this SHA-256, once. The person's address must be the invited one (KT053
-- otherwise, as for a used, revoked or expired invitation). An existing member keeps their role.
CREATE OR REPLACE FUNCTION invitation_accept(p_token_hash bytea, p_person uuid) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  v_invitation invitation;
BEGIN
  UPDATE invitation i SET accepted_at = kt_now(), accepted_by = p_person
    WHERE i.token_hash = p_token_hash AND i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > kt_now()
      AND i.email = (SELECT p.email FROM person p WHERE p.id = p_person AND p.erased_at IS NULL)
    RETURNING i.* INTO v_invitation;
  IF NOT FOUND THEN RAISE EXCEPTION 'the invitation cannot be accepted' USING ERRCODE = 'KT053'; END IF;
  INSERT INTO membership (organization_id, person_id, role) VALUES (v_invitation.organization_id, p_person, v_invitation.role) ON CONFLICT DO NOTHING;
  RETURN v_invitation.organization_id;
END $$;

ALTER FUNCTION invitation_accept OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION invitation_accept FROM PUBLIC;
GRANT EXECUTE ON FUNCTION invitation_accept TO kilotoken_sign_in;
