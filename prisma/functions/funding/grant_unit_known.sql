-- Trigger: a grant is in a currency or in a declared pack unit (KT026 else). Gateways learn of a new pack, since only organizations with
-- packs are funded from several units.
CREATE OR REPLACE FUNCTION grant_unit_known() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF NEW.unit ~ '^[A-Z]{3}$' THEN RETURN NEW; END IF;
  IF NOT EXISTS (SELECT FROM pack_unit p WHERE p.unit = NEW.unit) THEN
    RAISE EXCEPTION '% is no currency, and no pack unit of that name was declared', NEW.unit USING ERRCODE = 'KT026';
  END IF;
  PERFORM config_changed('organization', NEW.organization_id);
  RETURN NEW;
END $$;

REVOKE ALL ON FUNCTION grant_unit_known FROM PUBLIC;

CREATE TRIGGER grant_unit_known BEFORE INSERT ON credit_grant FOR EACH ROW EXECUTE FUNCTION grant_unit_known();
