-- The writing part of usage_insert. It parses the rows once and reads the clock once, since either costs as much as an index entry. It
-- bounds the model, our own cost and its currency: this table would store any value, but a later index or sum would not. Usage of a key
-- that its organization does not have is refused (23503), so that no gateway can bill an organization that does not exist or file usage
-- under another account; so are portions that do not add up (23514). Its fields and columns are those of libs/usage.
CREATE OR REPLACE FUNCTION usage_write(p_session uuid, p_flush bigint, p_rows json, OUT given integer, OUT written integer)
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_now timestamptz := kt_now(); v_stranger uuid; v_unsound uuid;
BEGIN
  WITH given_row AS MATERIALIZED (
    SELECT * FROM json_to_recordset(p_rows) AS r(organization uuid, id uuid, attempt smallint, root uuid, project uuid, key uuid, "user" text, tags jsonb,
      operation text, mode text, stream boolean, model text, tier_asked text, tier_served text, outcome text, status smallint, error text,
      finish text, lane uuid, upstream_model text, upstream_id text, upstream_status smallint, counts jsonb, estimated boolean, context bigint,
      max_tokens bigint, price uuid, unit text, hold numeric, rated numeric, charge numeric, portions jsonb, allocations jsonb, cost numeric, cost_currency text,
      offset_ms integer, admitted double precision, dispatched double precision, first_token double precision, finished double precision, opened boolean)),
  written_row AS (
    INSERT INTO usage (organization_id, id, attempt, session_id, flush, shard, account_root_id, project_id, api_key_id, end_user, tags,
      operation, mode, stream, model, tier_asked, tier_served, outcome, status, error_code, finish_reason, lane_id, upstream_model,
      upstream_id, upstream_status, counts, estimated, context_tokens, max_tokens, price_version_id, unit, hold, rated, charge,
      portions, allocations, cost, cost_currency, clock_offset_ms, admitted_at, dispatched_at, first_token_at, finished_at, settled_at)
    SELECT r.organization, r.id, r.attempt, p_session, p_flush, get_byte(uuid_send(r.root), 15) % 16, r.root, r.project, r.key, r.user, r.tags,
      r.operation, r.mode, r.stream, left(r.model, 256), r.tier_asked, r.tier_served, r.outcome, r.status, r.error, r.finish, r.lane, r.upstream_model,
      r.upstream_id, r.upstream_status, r.counts, r.estimated, r.context, r.max_tokens, r.price, r.unit, r.hold, r.rated, r.charge,
      r.portions, r.allocations, least(r.cost, 1000000000000), left(r.cost_currency, 16), r.offset_ms, to_timestamp(r.admitted / 1000), to_timestamp(r.dispatched / 1000),
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
    -- One look-up a key, by the index: the planner may turn a join into a scan of all keys.
    SELECT g.key FROM (SELECT DISTINCT organization, root, project, key, unit FROM given_row) g
    WHERE (SELECT k.project_id FROM api_key k WHERE k.organization_id = g.organization AND k.id = g.key) IS DISTINCT FROM g.project
      OR (SELECT o.account_root_id FROM organization o WHERE o.id = g.organization) IS DISTINCT FROM g.root OR length(g.unit) > 64 LIMIT 1),
    (SELECT r.id FROM given_row r WHERE r.portions IS NOT NULL AND NOT usage_portions_sound(r.portions, r.counts, r.unit, r.hold, r.rated, r.charge, r.allocations) LIMIT 1)
  INTO given, written, v_stranger, v_unsound;
  IF v_stranger IS NOT NULL THEN
    RAISE EXCEPTION 'usage of key %, which its organization does not have', v_stranger USING ERRCODE = '23503', CONSTRAINT = 'usage_of_a_key';
  END IF;
  IF v_unsound IS NOT NULL THEN
    RAISE EXCEPTION 'the portions of usage % do not add up', v_unsound USING ERRCODE = '23514', CONSTRAINT = 'sound_portions';
  END IF;
END $$;

REVOKE ALL ON FUNCTION usage_write FROM PUBLIC;
GRANT EXECUTE ON FUNCTION usage_write TO kilotoken_definer;
