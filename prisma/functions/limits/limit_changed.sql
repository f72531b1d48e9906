-- Trigger: every change of a limit gets a version, so that gateways drop its organization from their caches.
CREATE OR REPLACE FUNCTION limit_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM config_changed('organization', CASE TG_OP WHEN 'DELETE' THEN OLD.organization_id ELSE NEW.organization_id END);
  RETURN NULL;
END $$;

ALTER FUNCTION limit_changed OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION limit_changed FROM PUBLIC;

CREATE TRIGGER limit_changed AFTER INSERT OR DELETE OR UPDATE ON usage_limit FOR EACH ROW EXECUTE FUNCTION limit_changed();
