-- Trigger: a rule keeps an organization below its own one in funds, at any depth (KT063), in a unit that is a currency or declared (KT064).
CREATE OR REPLACE FUNCTION transfer_rule_fits() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF NOT organization_descendants(NEW.organization_id) ? NEW.child_id::text THEN
    RAISE EXCEPTION 'organization % is not below %', NEW.child_id, NEW.organization_id USING ERRCODE = 'KT063';
  END IF;
  IF NEW.unit !~ '^[A-Z]{3}$' AND NOT EXISTS (SELECT FROM pack_unit WHERE unit = NEW.unit) THEN
    RAISE EXCEPTION 'there is no unit %', NEW.unit USING ERRCODE = 'KT064';
  END IF;
  RETURN NEW;
END $$;

ALTER FUNCTION transfer_rule_fits OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION transfer_rule_fits FROM PUBLIC;

CREATE TRIGGER transfer_rule_fits BEFORE INSERT ON transfer_rule FOR EACH ROW EXECUTE FUNCTION transfer_rule_fits();
