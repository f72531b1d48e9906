-- The organization that the transaction names in `kilotoken.organization_id`; null without one. Row-level security shows its rows and no
-- others.
CREATE OR REPLACE FUNCTION current_organization() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT nullif(current_setting('kilotoken.organization_id', true), '')::uuid $$;

REVOKE ALL ON FUNCTION current_organization FROM PUBLIC;
GRANT EXECUTE ON FUNCTION current_organization TO kilotoken_definer, kilotoken_gateway, kilotoken_backoffice, kilotoken_app, kilotoken_control, kilotoken_api, kilotoken_staff;
