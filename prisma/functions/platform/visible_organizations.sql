-- The organizations that the transaction reads, from `kilotoken.organization_ids`, a list with commas; none without one. People of a
-- parent also read the organizations below it.
CREATE OR REPLACE FUNCTION visible_organizations() RETURNS uuid[]
LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT string_to_array(nullif(current_setting('kilotoken.organization_ids', true), ''), ',')::uuid[] $$;

REVOKE ALL ON FUNCTION visible_organizations FROM PUBLIC;
GRANT EXECUTE ON FUNCTION visible_organizations TO kilotoken_api;
