-- The release before adjusts grants by this, against manual_adjustment. See grant_adjust_against.
CREATE OR REPLACE FUNCTION grant_adjust(p_organization uuid, p_grant uuid, p_amount numeric, p_reference text, p_reason text) RETURNS boolean
LANGUAGE sql
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT grant_adjust_against(p_organization, p_grant, p_amount, p_reference, p_reason, NULL)
$$;

REVOKE ALL ON FUNCTION grant_adjust FROM PUBLIC;
GRANT EXECUTE ON FUNCTION grant_adjust TO kilotoken_definer;
