-- As rating_adjust_unit, in the currency of the row's price.
CREATE OR REPLACE FUNCTION rating_adjust(p_organization uuid, p_usage uuid, p_attempt smallint, p_rated numeric, p_reason text) RETURNS rating_adjustment
LANGUAGE sql
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT rating_adjust_unit(p_organization, p_usage, p_attempt, (SELECT u.unit FROM usage u WHERE u.organization_id = p_organization AND u.id = p_usage AND u.attempt = p_attempt),
    p_rated, p_reason)
$$;

REVOKE ALL ON FUNCTION rating_adjust FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rating_adjust TO kilotoken_definer;
