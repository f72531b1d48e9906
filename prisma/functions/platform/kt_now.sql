-- The one clock of the database. Only the owner can shift it, and only where `database_mark` has kind test or demo.
CREATE OR REPLACE FUNCTION kt_now() RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE AS $$SELECT now() + (SELECT clock_shift FROM public.database_mark)$$;

REVOKE ALL ON FUNCTION kt_now FROM PUBLIC;
GRANT EXECUTE ON FUNCTION kt_now TO kilotoken_definer, kilotoken_gateway, kilotoken_metering, kilotoken_backoffice, kilotoken_app, kilotoken_auditor, kilotoken_control, kilotoken_api, kilotoken_staff, kilotoken_sign_in;
