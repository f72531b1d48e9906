-- The release before issues grants by this: against the default account of their source. See grant_issue_against.
CREATE OR REPLACE FUNCTION grant_issue(p_organization uuid, p_id uuid, p_unit text, p_amount numeric, p_source text, p_reference text,
  p_priority smallint, p_scope_models text[], p_effective_at timestamptz, p_expires_at timestamptz) RETURNS uuid
LANGUAGE sql
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT grant_issue_against(p_organization, p_id, p_unit, p_amount, p_source, p_reference, p_priority, p_scope_models, p_effective_at, p_expires_at, NULL)
$$;

REVOKE ALL ON FUNCTION grant_issue FROM PUBLIC;
GRANT EXECUTE ON FUNCTION grant_issue TO kilotoken_definer;
