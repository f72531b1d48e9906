-- Trigger: refuses a row of a range whose partition has left the database (23000). Its first copy is gone, so no key would refuse a
-- second bill. Every other range has its own partition, so only rows of usage_default pay for this check. The settling gateway and the
-- reaper put such a row into quarantine and go on.
CREATE OR REPLACE FUNCTION usage_range_closed() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM usage_archive a WHERE a.detached_at IS NOT NULL AND NEW.id >= a.first_id AND NEW.id < a.until_id) THEN
    RAISE EXCEPTION 'usage % belongs to a range that has left the database', NEW.id USING ERRCODE = '23000';
  END IF;
  RETURN NEW;
END $$;

REVOKE ALL ON FUNCTION usage_range_closed FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usage_range_closed TO kilotoken_definer;

CREATE TRIGGER usage_range_closed BEFORE INSERT ON usage_default FOR EACH ROW EXECUTE FUNCTION usage_range_closed();
