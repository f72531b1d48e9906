-- The hold, rated amount and charge of a usage row in each paying unit, and always in the currency of its price. The function has no
-- settings, so that the planner can inline it.
CREATE OR REPLACE FUNCTION usage_amounts(p_usage usage) RETURNS TABLE (unit text, hold numeric, rated numeric, charge numeric)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT p_usage.unit, p_usage.hold, p_usage.rated, p_usage.charge
  UNION ALL
  SELECT p.unit, sum(p.hold), sum(p.rated), sum(p.charge) FROM jsonb_to_recordset(p_usage.portions) AS p(unit text, hold numeric, rated numeric, charge numeric)
    WHERE p.unit <> p_usage.unit GROUP BY p.unit
$$;

REVOKE ALL ON FUNCTION usage_amounts FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usage_amounts TO kilotoken_definer;
