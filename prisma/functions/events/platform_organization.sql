-- The owner of the platform's own jobs. No organization has this id, so no tenant sees them.
CREATE OR REPLACE FUNCTION platform_organization() RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$ SELECT '00000000-0000-0000-0000-000000000000'::uuid $$;

REVOKE ALL ON FUNCTION platform_organization FROM PUBLIC;
GRANT EXECUTE ON FUNCTION platform_organization TO kilotoken_backoffice, kilotoken_app, kilotoken_definer;
