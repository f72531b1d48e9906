-- The organizations below one in its account tree, at any depth, as a JSON array of ids.
CREATE OR REPLACE FUNCTION organization_descendants(p_organization uuid) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, public, pg_temp AS $$
  WITH RECURSIVE below AS (
    SELECT o.id FROM organization o WHERE o.parent_id = p_organization
    UNION ALL SELECT o.id FROM below JOIN organization o ON o.parent_id = below.id)
  SELECT coalesce(jsonb_agg(id ORDER BY id), '[]') FROM below
$$;

REVOKE ALL ON FUNCTION organization_descendants FROM PUBLIC;
GRANT EXECUTE ON FUNCTION organization_descendants TO kilotoken_definer, kilotoken_api, kilotoken_control, kilotoken_staff;
