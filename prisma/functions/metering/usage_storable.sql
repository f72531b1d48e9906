-- A usage row with diagnostics that Postgres can store. Identity, counts, price and money pass unchanged: a row with wrong ones is
-- refused. The bounds of text are the gateway's. A row without its moment of admission or end gets the present one.
CREATE OR REPLACE FUNCTION usage_storable(p_row json, p_now timestamptz) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT json_build_object('organization', p_row -> 'organization', 'id', p_row -> 'id', 'attempt', p_row -> 'attempt', 'root', p_row -> 'root',
    'project', p_row -> 'project', 'key', p_row -> 'key', 'counts', p_row -> 'counts', 'price', p_row -> 'price', 'unit', p_row -> 'unit',
    'hold', p_row -> 'hold', 'rated', p_row -> 'rated', 'charge', p_row -> 'charge', 'portions', p_row -> 'portions', 'allocations', p_row -> 'allocations', 'opened', p_row ->> 'opened' = 'true',
    'user', left(p_row ->> 'user', 512),
    'tags', CASE WHEN json_typeof(p_row -> 'tags') = 'object' THEN
      (SELECT jsonb_object_agg(left(t.key, 64), left(t.value, 512)) FROM (SELECT * FROM json_each_text(p_row -> 'tags') LIMIT 16) t) END)::jsonb
  || jsonb_build_object(
    'operation', left(coalesce(p_row ->> 'operation', 'unknown'), 64), 'mode', left(coalesce(p_row ->> 'mode', 'unknown'), 64),
    'stream', coalesce(p_row ->> 'stream' = 'true', false), 'model', left(coalesce(p_row ->> 'model', 'unknown'), 256),
    'tier_asked', left(coalesce(p_row ->> 'tier_asked', 'unknown'), 64), 'tier_served', left(coalesce(p_row ->> 'tier_served', 'unknown'), 64),
    'outcome', left(coalesce(p_row ->> 'outcome', 'unknown'), 64), 'error', left(p_row ->> 'error', 128), 'finish', left(p_row ->> 'finish', 128),
    'status', trunc(diagnostic_number(p_row ->> 'status', 0, 999, 0)),
    'lane', CASE WHEN p_row ->> 'lane' ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN p_row ->> 'lane' END,
    'upstream_model', left(p_row ->> 'upstream_model', 256), 'upstream_id', left(p_row ->> 'upstream_id', 128),
    'upstream_status', trunc(diagnostic_number(p_row ->> 'upstream_status', 0, 999, NULL)), 'estimated', coalesce(p_row ->> 'estimated' = 'true', false),
    'context', trunc(diagnostic_number(p_row ->> 'context', 0, 9007199254740991, 0)), 'max_tokens', trunc(diagnostic_number(p_row ->> 'max_tokens', 0, 9007199254740991, 0)),
    -- Our own cost is not the customer's charge, so an unreadable cost does not make an answer free.
    'cost', diagnostic_number(p_row ->> 'cost', 0, 1000000000000, 0), 'cost_currency', left(coalesce(p_row ->> 'cost_currency', 'XXX'), 16),
    'offset_ms', trunc(diagnostic_number(p_row ->> 'offset_ms', -2147483648, 2147483647, 0)))
  || jsonb_build_object(
    -- From 1970 to 9999, in milliseconds.
    'admitted', diagnostic_number(p_row ->> 'admitted', 0, 253402300799999, extract(epoch FROM p_now) * 1000),
    'dispatched', diagnostic_number(p_row ->> 'dispatched', 0, 253402300799999, NULL),
    'first_token', diagnostic_number(p_row ->> 'first_token', 0, 253402300799999, NULL),
    'finished', diagnostic_number(p_row ->> 'finished', 0, 253402300799999, extract(epoch FROM p_now) * 1000))
$$;

REVOKE ALL ON FUNCTION usage_storable FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usage_storable TO kilotoken_definer;
