-- The moment in the first 48 bits of a UUIDv7.
CREATE OR REPLACE FUNCTION uuid_moment(p_id uuid) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$ SELECT to_timestamp(('x' || left(replace(p_id::text, '-', ''), 12))::bit(48)::bigint / 1000.0) $$;

REVOKE ALL ON FUNCTION uuid_moment FROM PUBLIC;
GRANT EXECUTE ON FUNCTION uuid_moment TO kilotoken_definer, kilotoken_control, kilotoken_api, kilotoken_staff;
