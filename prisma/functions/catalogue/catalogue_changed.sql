-- Trigger: every change of a model, a lane, a price or a burn table gets a version, so that gateways reload the catalogue.
CREATE OR REPLACE FUNCTION catalogue_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN PERFORM config_changed('catalogue', NULL); RETURN NULL; END $$;

ALTER FUNCTION catalogue_changed OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION catalogue_changed FROM PUBLIC;

CREATE TRIGGER burn_table_changed AFTER INSERT OR DELETE OR UPDATE ON burn_table FOR EACH STATEMENT EXECUTE FUNCTION catalogue_changed();
CREATE TRIGGER lane_changed AFTER INSERT OR DELETE OR UPDATE ON lane FOR EACH STATEMENT EXECUTE FUNCTION catalogue_changed();
CREATE TRIGGER model_changed AFTER INSERT OR DELETE OR UPDATE ON model FOR EACH STATEMENT EXECUTE FUNCTION catalogue_changed();
CREATE TRIGGER price_changed AFTER INSERT OR DELETE OR UPDATE ON price_version FOR EACH STATEMENT EXECUTE FUNCTION catalogue_changed();
