-- Trigger: a pack unit and its burn tables are published once. The rater rates rows again by the tables that charged them, so a change is
-- a new table from a later moment on, or a new unit.
CREATE OR REPLACE FUNCTION published_is_final() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  RAISE EXCEPTION '% is published and not changed: publish another one from a later moment on', TG_TABLE_NAME USING ERRCODE = 'KT025';
END $$;

REVOKE ALL ON FUNCTION published_is_final FROM PUBLIC;

CREATE TRIGGER burn_table_is_final BEFORE DELETE OR UPDATE ON burn_table FOR EACH ROW EXECUTE FUNCTION published_is_final();
CREATE TRIGGER burn_weight_is_final BEFORE DELETE OR UPDATE ON burn_weight FOR EACH ROW EXECUTE FUNCTION published_is_final();
CREATE TRIGGER pack_unit_is_final BEFORE DELETE OR UPDATE ON pack_unit FOR EACH ROW EXECUTE FUNCTION published_is_final();
