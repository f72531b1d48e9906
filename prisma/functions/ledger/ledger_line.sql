-- One posting in the text that is hashed. Names are written as JSON strings, so that none can hold a line's end.
CREATE OR REPLACE FUNCTION ledger_line(line smallint, account text, unit text, amount numeric) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$ SELECT line || ' ' || to_json(account) || ' ' || to_json(unit) || ' ' || amount::numeric(38, 12) $$;

REVOKE ALL ON FUNCTION ledger_line FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_line TO kilotoken_definer, kilotoken_control, kilotoken_api, kilotoken_staff;
