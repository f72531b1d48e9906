-- Why: no diagnostic field may fail a money row. A gateway whose clock was 26 days off overflowed `clock_offset_ms`, every settlement
-- failed and every answer was free; a customer could do the same with a lone surrogate in `user`. Diagnostic fields are now brought
-- within their bounds where a row has any that Postgres refuses, and usage is taken only for keys that exist.
-- Locks: nothing that exists; functions are replaced.

-- ── Diagnostics ────────────────────────────────────────────────────────────────────────────────────────────────
-- JSON may name characters that no text of Postgres can hold: NUL, and one half of a surrogate pair without the other. Each becomes
-- U+FFFD. Control characters, which valid JSON does not hold, stand in for escaped backslashes (1) and for whole pairs (2) meanwhile:
-- without looking back, the time is linear in the length.
CREATE FUNCTION json_storable(p_json json) RETURNS json LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT replace(replace(regexp_replace(regexp_replace(replace(replace(p_json::text, '\\', chr(1)), '\u0000', '\ufffd'),
    '\\(u[dD][89abAB][0-9a-fA-F]{2})\\(u[dD][c-fC-F][0-9a-fA-F]{2})', E'\x02\\1\x02\\2', 'g'),
    '\\u[dD][89a-fA-F][0-9a-fA-F]{2}', '\\ufffd', 'g'), chr(2), '\'), chr(1), '\\')::json
$$;

-- A number within its bounds. Text that is no number becomes p_otherwise; an infinite one its bound.
CREATE FUNCTION diagnostic_number(p_text text, p_least numeric, p_most numeric, p_otherwise numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE
    WHEN length(p_text) <= 400 AND p_text ~ '^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$' THEN least(p_most, greatest(p_least, round(p_text::numeric, 12)))
    WHEN p_text ~* '^\+?inf(inity)?$' OR p_text ~ '^[0-9]' THEN p_most
    WHEN p_text ~* '^-inf(inity)?$' OR p_text ~ '^-[0-9]' THEN p_least
    ELSE p_otherwise END
$$;

-- A usage row whose diagnostics Postgres can store. Identity, counts, price and money are passed on as they came: where these are
-- wrong the row is refused. The bounds of text are those of the gateway. A row that does not say when it was admitted or finished
-- did so now.
CREATE FUNCTION usage_storable(p_row json, p_now timestamptz) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT json_build_object('organization', p_row -> 'organization', 'id', p_row -> 'id', 'attempt', p_row -> 'attempt', 'root', p_row -> 'root',
    'project', p_row -> 'project', 'key', p_row -> 'key', 'counts', p_row -> 'counts', 'price', p_row -> 'price', 'unit', p_row -> 'unit',
    'hold', p_row -> 'hold', 'rated', p_row -> 'rated', 'charge', p_row -> 'charge', 'allocations', p_row -> 'allocations', 'opened', p_row ->> 'opened' = 'true',
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
    -- Our own cost is not the customer's charge: an answer is not free because its cost could not be noted.
    'cost', diagnostic_number(p_row ->> 'cost', 0, 1000000000000, 0), 'cost_currency', left(coalesce(p_row ->> 'cost_currency', 'XXX'), 16),
    'offset_ms', trunc(diagnostic_number(p_row ->> 'offset_ms', -2147483648, 2147483647, 0)))
  || jsonb_build_object(
    -- From 1970 to 9999, in milliseconds.
    'admitted', diagnostic_number(p_row ->> 'admitted', 0, 253402300799999, extract(epoch FROM p_now) * 1000),
    'dispatched', diagnostic_number(p_row ->> 'dispatched', 0, 253402300799999, NULL),
    'first_token', diagnostic_number(p_row ->> 'first_token', 0, 253402300799999, NULL),
    'finished', diagnostic_number(p_row ->> 'finished', 0, 253402300799999, extract(epoch FROM p_now) * 1000))
$$;

-- ── Settling ───────────────────────────────────────────────────────────────────────────────────────────────────
-- As usage_insert was. The model, our own cost and its currency are bounded here too: this table refuses none of them, but an index or
-- a sum that is made of it later would. Usage of a key that its organization does not have is refused (23503), so that no gateway can
-- bill an organization that does not exist or file usage under another account.
CREATE FUNCTION usage_write(p_session uuid, p_flush bigint, p_rows json, OUT given integer, OUT written integer)
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_now timestamptz := kt_now(); v_stranger uuid;
BEGIN
  WITH given_row AS MATERIALIZED (
    SELECT * FROM json_to_recordset(p_rows) AS r(organization uuid, id uuid, attempt smallint, root uuid, project uuid, key uuid, "user" text, tags jsonb,
      operation text, mode text, stream boolean, model text, tier_asked text, tier_served text, outcome text, status smallint, error text,
      finish text, lane uuid, upstream_model text, upstream_id text, upstream_status smallint, counts jsonb, estimated boolean, context bigint,
      max_tokens bigint, price uuid, unit text, hold numeric, rated numeric, charge numeric, allocations jsonb, cost numeric, cost_currency text,
      offset_ms integer, admitted double precision, dispatched double precision, first_token double precision, finished double precision, opened boolean)),
  written_row AS (
    INSERT INTO usage (organization_id, id, attempt, session_id, flush, shard, account_root_id, project_id, api_key_id, end_user, tags,
      operation, mode, stream, model, tier_asked, tier_served, outcome, status, error_code, finish_reason, lane_id, upstream_model,
      upstream_id, upstream_status, counts, estimated, context_tokens, max_tokens, price_version_id, unit, hold, rated, charge,
      allocations, cost, cost_currency, clock_offset_ms, admitted_at, dispatched_at, first_token_at, finished_at, settled_at)
    SELECT r.organization, r.id, r.attempt, p_session, p_flush, get_byte(uuid_send(r.root), 15) % 16, r.root, r.project, r.key, r.user, r.tags,
      r.operation, r.mode, r.stream, left(r.model, 256), r.tier_asked, r.tier_served, r.outcome, r.status, r.error, r.finish, r.lane, r.upstream_model,
      r.upstream_id, r.upstream_status, r.counts, r.estimated, r.context, r.max_tokens, r.price, r.unit, r.hold, r.rated, r.charge,
      r.allocations, least(r.cost, 1000000000000), left(r.cost_currency, 16), r.offset_ms, to_timestamp(r.admitted / 1000), to_timestamp(r.dispatched / 1000),
      to_timestamp(r.first_token / 1000), to_timestamp(r.finished / 1000), v_now
    FROM given_row r
    ON CONFLICT DO NOTHING
    RETURNING organization_id, id, attempt, shard),
  queued AS (
    INSERT INTO unrated_batch (session_id, flush, shard, organization_ids, usage_ids, attempts)
    SELECT p_session, p_flush, shard, array_agg(organization_id), array_agg(id), array_agg(attempt) FROM written_row GROUP BY shard),
  closed AS (
    DELETE FROM open_request o USING given_row r WHERE r.opened AND o.organization_id = r.organization AND o.id = r.id)
  SELECT (SELECT count(*) FROM given_row), (SELECT count(*) FROM written_row), (
    -- Looked up one by one, by the index: a join may be planned as a scan of all keys.
    SELECT g.key FROM (SELECT DISTINCT organization, root, project, key, unit FROM given_row) g
    WHERE (SELECT k.project_id FROM api_key k WHERE k.organization_id = g.organization AND k.id = g.key) IS DISTINCT FROM g.project
      OR (SELECT o.account_root_id FROM organization o WHERE o.id = g.organization) IS DISTINCT FROM g.root OR length(g.unit) > 64 LIMIT 1)
  INTO given, written, v_stranger;
  IF v_stranger IS NOT NULL THEN
    RAISE EXCEPTION 'usage of key %, which its organization does not have', v_stranger USING ERRCODE = '23503', CONSTRAINT = 'usage_of_a_key';
  END IF;
END $$;

-- Inserts usage rows of a flush, queues them for the rater, closes their open requests. Only rows that this INSERT wrote are
-- queued: executed again it writes none and queues none. Answers how many rows were given and how many it wrote. Where Postgres
-- refuses a row for what it holds, the flush is written again with every diagnostic within its bounds; what is refused then is
-- wrong in its money or its identity.
CREATE OR REPLACE FUNCTION usage_insert(p_session uuid, p_flush bigint, p_rows json, OUT given integer, OUT written integer)
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_reason text;
BEGIN
  BEGIN
    SELECT w.given, w.written INTO given, written FROM usage_write(p_session, p_flush, p_rows) w;
    RETURN;
  EXCEPTION WHEN data_exception OR not_null_violation OR check_violation THEN
    v_reason := SQLSTATE || ' ' || SQLERRM;
  END;
  SELECT w.given, w.written INTO given, written FROM usage_write(p_session, p_flush, (
    SELECT json_agg(usage_storable(r.value, kt_now()) ORDER BY r.ordinality) FROM json_array_elements(json_storable(p_rows)) WITH ORDINALITY r)) w;
  -- To the server's log alone: a gateway takes a warning for a commit that nobody confirmed.
  RAISE LOG 'flush % of session %: diagnostics were brought within their bounds (%)', p_flush, p_session, v_reason;
END $$;

-- As before; a flush that is executed again is compared by what could be stored of it.
CREATE OR REPLACE FUNCTION settle(p_session uuid, p_flush bigint, p_rows json) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_given integer; v_written integer; v_foreign text;
BEGIN
  PERFORM session_fence(p_session);
  SELECT i.given, i.written INTO v_given, v_written FROM usage_insert(p_session, p_flush, p_rows) i;
  IF v_written < v_given THEN
    SELECT string_agg(r.id::text, ', ') INTO v_foreign
    FROM json_to_recordset(json_storable(p_rows)) AS r(organization uuid, id uuid, attempt smallint, counts jsonb, charge numeric)
    LEFT JOIN usage u ON u.organization_id = r.organization AND u.id = r.id AND u.attempt = r.attempt
      AND u.session_id = p_session AND u.flush = p_flush AND u.counts = r.counts AND u.charge = r.charge
    WHERE u.id IS NULL;
    IF v_foreign IS NOT NULL THEN RAISE EXCEPTION 'usage % exists with other contents', v_foreign USING ERRCODE = 'KT002'; END IF;
  END IF;
  RETURN v_written;
END $$;

CREATE FUNCTION checkpoint_write(p_session uuid, p_rows json) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_written integer;
BEGIN
  INSERT INTO open_request AS o (organization_id, id, session_id, holds, settlement)
    SELECT r.organization, r.id, p_session, r.holds, r.settlement
    FROM json_to_recordset(p_rows) AS r(organization uuid, id uuid, holds jsonb, settlement jsonb)
    WHERE NOT EXISTS (SELECT FROM usage u WHERE u.organization_id = r.organization AND u.id = r.id)
      AND NOT EXISTS (SELECT FROM usage_quarantine q WHERE q.organization_id = r.organization AND q.id = r.id AND q.reason LIKE 'settle:%')
    ORDER BY r.organization, r.id
    ON CONFLICT (organization_id, id) DO UPDATE SET settlement = excluded.settlement, holds = excluded.holds, checkpoint_at = kt_now()
      WHERE o.session_id = p_session;
  GET DIAGNOSTICS v_written = ROW_COUNT;
  RETURN v_written;
END $$;

-- Opens or checkpoints running requests. p_rows: [{organization, id, holds, settlement}], settlement being usage rows. A
-- request that is settled, or whose settlement is in quarantine, is not opened again by a late execution. Diagnostics that Postgres
-- refuses are brought within their bounds, as by usage_insert: a request without a checkpoint is free when its gateway dies.
CREATE OR REPLACE FUNCTION checkpoint_requests(p_session uuid, p_rows json) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM session_fence(p_session);
  BEGIN
    RETURN checkpoint_write(p_session, p_rows);
  EXCEPTION WHEN data_exception THEN NULL;
  END;
  RETURN checkpoint_write(p_session, (
    SELECT json_agg(jsonb_build_object('organization', r.value -> 'organization', 'id', r.value -> 'id', 'holds', r.value -> 'holds', 'settlement',
      (SELECT jsonb_agg(usage_storable(s.value, kt_now()) ORDER BY s.ordinality) FROM json_array_elements(r.value -> 'settlement') WITH ORDINALITY s)))
    FROM json_array_elements(json_storable(p_rows)) r));
END $$;

-- ── Rights ─────────────────────────────────────────────────────────────────────────────────────────────────────
DO $$
DECLARE f record;
BEGIN
  EXECUTE format('GRANT kilotoken_definer TO %I WITH SET TRUE', current_user);
  FOR f IN SELECT p.oid::regprocedure AS signature FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
           AND p.proname IN ('json_storable', 'diagnostic_number', 'usage_storable', 'usage_write', 'checkpoint_write') LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f.signature);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO kilotoken_definer', f.signature);
  END LOOP;
END $$;

-- Of an infinite time, which an older release may have stored, a rollup counts some thirty years: a sum that is infinite fits no column.
CREATE OR REPLACE FUNCTION rollup_ms(p_since timestamptz, p_until timestamptz) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$ SELECT CASE WHEN p_until > p_since THEN least(round(extract(epoch FROM p_until - p_since) * 1000), 1000000000000) WHEN p_until <= p_since THEN 0 END $$;
