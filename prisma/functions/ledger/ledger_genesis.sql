-- The hash before the first link of a chain.
CREATE OR REPLACE FUNCTION ledger_genesis() RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT decode(repeat('00', 32), 'hex') $$;

REVOKE ALL ON FUNCTION ledger_genesis FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_genesis TO kilotoken_definer, kilotoken_control, kilotoken_api, kilotoken_staff;
