-- Trigger: refuses every change of audit entries, the owner's too. The chain shows changes that were made with the trigger disabled.
CREATE OR REPLACE FUNCTION audit_is_final() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'the audit log is only added to' USING ERRCODE = 'KT066';
END $$;

REVOKE ALL ON FUNCTION audit_is_final FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_is_final TO kilotoken_definer;

CREATE TRIGGER audit_entry_is_final BEFORE DELETE OR UPDATE OR TRUNCATE ON audit_entry
  FOR EACH STATEMENT EXECUTE FUNCTION audit_is_final();
