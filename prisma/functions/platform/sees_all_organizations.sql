-- True where the session reads the rows of all organizations: an operator's tool sets `kilotoken.scope` to `platform`. It only widens
-- reading, and only for a role whose policies ask.
CREATE OR REPLACE FUNCTION sees_all_organizations() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT coalesce(current_setting('kilotoken.scope', true), '') = 'platform' $$;

REVOKE ALL ON FUNCTION sees_all_organizations FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sees_all_organizations TO kilotoken_definer, kilotoken_control;
