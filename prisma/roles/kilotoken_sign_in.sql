-- How people sign in: passwords, sessions, second factors. It cannot log in: the api and `kt` become it for that alone, and nobody else
-- reads these tables.
GRANT USAGE ON SCHEMA public TO kilotoken_sign_in;
DO $$
BEGIN
  IF (SELECT count(*) FROM pg_auth_members WHERE roleid = 'kilotoken_sign_in'::regrole AND member IN ('kilotoken_api'::regrole, 'kilotoken_control'::regrole)) < 2 THEN
    GRANT kilotoken_sign_in TO kilotoken_api, kilotoken_control WITH INHERIT FALSE, SET TRUE;
  END IF;
EXCEPTION WHEN unique_violation THEN NULL;
END $$;

GRANT SELECT, INSERT, UPDATE ON person TO kilotoken_sign_in;
GRANT SELECT, INSERT, UPDATE, DELETE ON credential, second_factor, sign_in_attempt, sign_in_session, sign_in_verification TO kilotoken_sign_in;
-- kt_now() reads it.
GRANT SELECT ON database_mark TO kilotoken_sign_in;
