-- The smallest UUIDv7 of a moment. `usage` is partitioned by its id, which carries its time.
CREATE OR REPLACE FUNCTION uuid_floor(moment timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$ SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid $$;

REVOKE ALL ON FUNCTION uuid_floor FROM PUBLIC;
GRANT EXECUTE ON FUNCTION uuid_floor TO kilotoken_definer, kilotoken_app, kilotoken_control, kilotoken_api, kilotoken_staff;
