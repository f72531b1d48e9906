-- Trigger: every change of an organization or a key gets a version, so that gateways drop it from their caches.
CREATE OR REPLACE FUNCTION organization_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF TG_TABLE_NAME = 'organization' THEN PERFORM config_changed('organization', NEW.id);
  ELSE PERFORM config_changed('organization', NEW.organization_id); END IF;
  RETURN NULL;
END $$;

ALTER FUNCTION organization_changed OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION organization_changed FROM PUBLIC;

CREATE TRIGGER key_changed AFTER UPDATE ON api_key FOR EACH ROW EXECUTE FUNCTION organization_changed();
CREATE TRIGGER organization_changed AFTER UPDATE ON organization FOR EACH ROW EXECUTE FUNCTION organization_changed();
