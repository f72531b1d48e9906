-- The hash before the first entry of a chain.
CREATE OR REPLACE FUNCTION audit_genesis() RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT decode(repeat('00', 32), 'hex') $$;

REVOKE ALL ON FUNCTION audit_genesis FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_genesis TO kilotoken_definer;
