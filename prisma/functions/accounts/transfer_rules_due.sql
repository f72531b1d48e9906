-- Checks the next p_count transfer rules, in the order of their keys after (p_organization, p_child, p_unit), and answers those whose
-- child has less than the threshold: {checked, due: [{organization, child, unit}], organization, child, unit}. The last three continue
-- the round.
CREATE OR REPLACE FUNCTION transfer_rules_due(p_organization uuid, p_child uuid, p_unit text, p_count integer) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
  WITH rule AS MATERIALIZED (
    SELECT r.organization_id, r.child_id, r.unit, r.threshold, row_number() OVER (ORDER BY r.organization_id, r.child_id, r.unit) AS place FROM transfer_rule r
    WHERE p_organization IS NULL OR (r.organization_id, r.child_id, r.unit) > (p_organization, p_child, p_unit)
    ORDER BY r.organization_id, r.child_id, r.unit LIMIT p_count),
  last AS (SELECT * FROM rule ORDER BY place DESC LIMIT 1)
  SELECT json_build_object('checked', (SELECT count(*) FROM rule),
    'due', (SELECT coalesce(json_agg(json_build_object('organization', organization_id, 'child', child_id, 'unit', unit) ORDER BY place), '[]') FROM rule
      WHERE balance_left(child_id, unit, threshold) < threshold),
    'organization', (SELECT organization_id FROM last), 'child', (SELECT child_id FROM last), 'unit', (SELECT unit FROM last))
$$;

ALTER FUNCTION transfer_rules_due OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION transfer_rules_due FROM PUBLIC;
GRANT EXECUTE ON FUNCTION transfer_rules_due TO kilotoken_backoffice, kilotoken_app;
