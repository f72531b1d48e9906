-- Enqueues a mail to a person, in the caller's transaction. p_sealed: address, subject and text, encrypted, since they contain a link
-- that opens an account. The same p_key is the same mail.
CREATE OR REPLACE FUNCTION person_mail_put(p_key text, p_sealed text) RETURNS boolean
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT outbox_enqueue(platform_organization(), 'mail-person', p_key, jsonb_build_object('sealed', p_sealed))
$$;

ALTER FUNCTION person_mail_put OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION person_mail_put FROM PUBLIC;
GRANT EXECUTE ON FUNCTION person_mail_put TO kilotoken_sign_in, kilotoken_api, kilotoken_control;
