-- Trigger: refuses every change of posted rows, the owner's too: another transaction corrects a mistake. The chain shows changes that
-- were made with the trigger disabled.
CREATE OR REPLACE FUNCTION ledger_is_final() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'the ledger is only added to: % is not changed; post another transaction', TG_TABLE_NAME USING ERRCODE = 'KT020';
END $$;

REVOKE ALL ON FUNCTION ledger_is_final FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_is_final TO kilotoken_definer;

CREATE TRIGGER ledger_posting_is_final BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger_posting
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_final();
CREATE TRIGGER ledger_transaction_is_final BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger_transaction
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_final();
