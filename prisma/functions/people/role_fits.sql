-- Trigger: a role is one of the organization's kind (KT050): the company's people are staff, a customer's are not.
CREATE OR REPLACE FUNCTION role_fits() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF (SELECT o.kind = 'company' FROM organization o WHERE o.id = NEW.organization_id) IS DISTINCT FROM (NEW.role IN ('admin', 'finance', 'support', 'sales_manager', 'seller')) THEN
    RAISE EXCEPTION 'organization % has no role %', NEW.organization_id, NEW.role USING ERRCODE = 'KT050';
  END IF;
  RETURN NULL;
END $$;

ALTER FUNCTION role_fits OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION role_fits FROM PUBLIC;

CREATE TRIGGER role_fits AFTER INSERT OR UPDATE OF organization_id, role ON membership FOR EACH ROW EXECUTE FUNCTION role_fits();
CREATE TRIGGER role_fits AFTER INSERT OR UPDATE OF organization_id, role ON invitation FOR EACH ROW EXECUTE FUNCTION role_fits();
CREATE TRIGGER role_fits AFTER INSERT OR UPDATE OF organization_id, role ON service_token FOR EACH ROW EXECUTE FUNCTION role_fits();
