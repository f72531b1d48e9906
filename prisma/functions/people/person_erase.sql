-- Removes a person's name, address, password, sessions, second factor, memberships and invitations, and their address where an
-- organization's notices go to it, with the mails that went there or wait. The id stays, so that histories keep their meaning. The last
-- owner of an organization is refused (KT051).
CREATE OR REPLACE FUNCTION person_erase(p_person uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  v_email text;
BEGIN
  SELECT p.email INTO v_email FROM person p WHERE p.id = p_person AND p.erased_at IS NULL FOR UPDATE;
  IF NOT FOUND THEN RETURN false; END IF;
  DELETE FROM membership m WHERE m.person_id = p_person;
  DELETE FROM sign_in_session s WHERE s.person_id = p_person;
  DELETE FROM credential c WHERE c.person_id = p_person;
  DELETE FROM second_factor f WHERE f.person_id = p_person;
  DELETE FROM sign_in_verification v WHERE v.value LIKE '%' || p_person || '%';
  UPDATE invitation i SET email = i.id || '@erased.invalid', revoked_at = CASE WHEN i.accepted_at IS NULL THEN coalesce(i.revoked_at, kt_now()) END WHERE i.email = v_email;
  DELETE FROM notice_address a WHERE a.email = v_email;
  DELETE FROM outbox_job j WHERE j.queue = 'send-mail' AND j.payload ->> 'address' = v_email;
  UPDATE person p SET name = 'Erased person', email = p.id || '@erased.invalid', email_verified = false, image = NULL, two_factor_enabled = false,
    erased_at = kt_now(), updated_at = kt_now() WHERE p.id = p_person;
  RETURN true;
END $$;

ALTER FUNCTION person_erase OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION person_erase FROM PUBLIC;
GRANT EXECUTE ON FUNCTION person_erase TO kilotoken_sign_in;
