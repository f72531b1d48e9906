-- Trigger: refuses every change of recorded changes, the owner's too.
CREATE OR REPLACE FUNCTION control_change_is_final() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'recorded changes are only added to' USING ERRCODE = 'KT041';
END $$;

REVOKE ALL ON FUNCTION control_change_is_final FROM PUBLIC;

CREATE TRIGGER control_change_is_final BEFORE DELETE OR UPDATE OR TRUNCATE ON control_change
  FOR EACH STATEMENT EXECUTE FUNCTION control_change_is_final();
