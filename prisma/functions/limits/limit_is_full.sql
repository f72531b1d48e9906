-- True where an end user shares the rest's counter: the user has no counter that counts, and the window has no more to give. A user with
-- a counter keeps it, so no user finds a second allowance in the rest.
CREATE OR REPLACE FUNCTION limit_is_full(l usage_limit, p_subject text, p_zone text, p_now timestamptz) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE w record;
BEGIN
  IF p_subject = limit_rest() THEN RETURN false; END IF;
  SELECT * INTO w FROM limit_window(l, p_zone, p_now);
  IF EXISTS (SELECT FROM limit_counter c WHERE c.organization_id = l.organization_id AND c.limit_id = l.id AND c.subject = p_subject AND c.window_end_ms > w.counted_from_ms) THEN
    RETURN false;
  END IF;
  RETURN (SELECT count(*) FROM (SELECT FROM limit_counter c WHERE c.organization_id = l.organization_id AND c.limit_id = l.id AND c.window_start_ms = w.start_ms
    LIMIT limit_subjects_max(l.window_kind)) n) >= limit_subjects_max(l.window_kind);
END $$;

REVOKE ALL ON FUNCTION limit_is_full FROM PUBLIC;
GRANT EXECUTE ON FUNCTION limit_is_full TO kilotoken_definer;
