-- True where the portions of a usage row add up: their counts to the row's, those in the currency of the price to the row's own columns,
-- and the allocations of each unit to its charge, which does not exceed its holds.
CREATE OR REPLACE FUNCTION usage_portions_sound(p_portions jsonb, p_counts jsonb, p_unit text, p_hold numeric, p_rated numeric, p_charge numeric, p_allocations jsonb) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, public, pg_temp AS $$
  WITH portion AS (
    SELECT unit, burn_table, counts, hold, rated, charge
    FROM jsonb_to_recordset(p_portions) AS p(unit text, burn_table uuid, counts jsonb, hold numeric, rated numeric, charge numeric)),
  total AS (SELECT unit, sum(hold) AS hold, sum(rated) AS rated, sum(charge) AS charge FROM portion GROUP BY unit),
  allocated AS (SELECT unit, sum(amount) AS amount FROM jsonb_to_recordset(p_allocations) AS a(unit text, amount numeric) GROUP BY unit)
  SELECT coalesce((SELECT bool_and(jsonb_typeof(counts) = 'object' AND hold >= 0 AND rated >= 0 AND charge >= 0 AND (burn_table IS NULL) = (unit = p_unit)) FROM portion), false)
    AND (SELECT bool_and(t.charge <= t.hold AND t.charge = coalesce(a.amount, 0)) FROM total t LEFT JOIN allocated a USING (unit))
    AND NOT EXISTS (SELECT FROM allocated a WHERE a.amount <> 0 AND NOT EXISTS (SELECT FROM total t WHERE t.unit = a.unit))
    AND NOT EXISTS (SELECT FROM (SELECT e.key, sum(e.value::numeric) AS tokens FROM portion p CROSS JOIN LATERAL jsonb_each_text(p.counts) e GROUP BY e.key) paid
      FULL JOIN jsonb_each_text(p_counts) c USING (key) WHERE coalesce(paid.tokens, 0) <> coalesce(c.value::numeric, 0))
    AND (SELECT coalesce(sum(hold), 0) = p_hold AND coalesce(sum(rated), 0) = p_rated AND coalesce(sum(charge), 0) = p_charge FROM total WHERE unit = p_unit)
$$;

REVOKE ALL ON FUNCTION usage_portions_sound FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usage_portions_sound TO kilotoken_definer;
