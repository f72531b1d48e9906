-- Why: what a caller writes into labels must not multiply our work. 400 values of `user` under an end user's budget were 400 events and
-- 400 mails; 3,000 requests with eight tags each made 90 MB of rollups. Labels are now bounded per organization and day, and what is beyond
-- a bound is counted in a rest, which sums still hold and limits still stop.
-- Locks: a moment's SHARE ROW EXCLUSIVE on organization, for references to it; usage_rollup is read once, for the tags that it has.
-- Lock order: idempotency_tally after its claim; rollup_tag under the lock of rollup_add.

-- ── Limits of end users ────────────────────────────────────────────────────────────────────────────────────────
-- The subject that end users share who came when a limit had as many counters as it may have. Who names nobody is '' as before.
CREATE FUNCTION limit_rest() RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT '(other)' $$;

-- How many end users may have a counter of their own in one window, or in one of the up to 30 parts of a window that rolls.
CREATE FUNCTION limit_subjects_max(p_window_kind text) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$ SELECT CASE p_window_kind WHEN 'rolling' THEN 2000 ELSE 10000 END $$;

CREATE INDEX limit_counter_by_window ON limit_counter (organization_id, limit_id, window_start_ms);

-- Whether an end user shares the rest's counter: it has none that counts, and the window has no more to give. Whoever has one keeps it,
-- so nobody finds a second allowance in the rest.
CREATE FUNCTION limit_is_full(l usage_limit, p_subject text, p_zone text, p_now timestamptz) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE w record;
BEGIN
  IF p_subject = limit_rest() THEN RETURN false; END IF;
  SELECT * INTO w FROM limit_window(l, p_zone, p_now);
  IF EXISTS (SELECT FROM limit_counter c WHERE c.organization_id = l.organization_id AND c.limit_id = l.id AND c.subject = p_subject AND c.window_end_ms > w.counted_from_ms) THEN
    RETURN false;
  END IF;
  RETURN (SELECT count(*) FROM (SELECT FROM limit_counter c WHERE c.organization_id = l.organization_id AND c.limit_id = l.id AND c.window_start_ms = w.start_ms
    LIMIT limit_subjects_max(l.window_kind)) n) >= limit_subjects_max(l.window_kind);
END $$;

-- A budget that stopped a request, or let it pass with a warning, is told once a limit and window: of end users the first one is named.
CREATE OR REPLACE FUNCTION limit_event(l usage_limit, p_subject text, p_zone text, p_now timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_start_ms bigint; v_end_ms bigint;
BEGIN
  IF l.measure <> 'money' AND (l.window_kind IN ('none', 'rolling') OR l.measure = 'requests') THEN RETURN; END IF;
  SELECT w.start_ms, w.end_ms INTO v_start_ms, v_end_ms FROM limit_window(l, p_zone, p_now) w;
  IF l.window_kind = 'rolling' THEN
    -- A window that rolls is told of once a day at most, however short it is.
    v_start_ms := floor(extract(epoch FROM p_now) * 1000 / greatest(l.window_ms, 86400000)) * greatest(l.window_ms, 86400000);
    v_end_ms := v_start_ms + greatest(l.window_ms, 86400000);
  END IF;
  PERFORM outbox_put(l.organization_id, CASE l.mode WHEN 'soft' THEN 'budget.warned' ELSE 'budget.reached' END,
    l.id::text || ':' || v_start_ms::text, jsonb_build_object('limit_id', l.id, 'subject_kind', l.subject_kind, 'subject', p_subject,
      'measure', l.measure, 'unit', l.unit, 'window', l.window_kind, 'amount', trim_scale(l.amount)::text,
      'window_start', iso_moment('epoch'::timestamptz + v_start_ms * interval '1 millisecond'), 'window_end', iso_moment('epoch'::timestamptz + v_end_ms * interval '1 millisecond')));
END $$;

-- As before. An end user who shares the rest's counter is answered `rest` and nothing else: its gateway asks for the rest instead.
CREATE OR REPLACE FUNCTION limit_exchange(p_session uuid, p_organization uuid, p_ask uuid, p_first_usage uuid, p_rows json) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_now timestamptz; v_zone text; v_first boolean; v_states json[] := '{}'; l usage_limit; r record; v_rest boolean; v_rows json := json_storable(p_rows);
BEGIN
  PERFORM session_fence(p_session);
  PERFORM pg_advisory_xact_lock(hashtextextended('limits' || p_organization::text, 0));
  -- The moment at which the lock was taken: windows are taken from in their order.
  v_now := kt_now() + (clock_timestamp() - now());
  INSERT INTO limit_ask AS a (organization_id, session_id, ask_id) VALUES (p_organization, p_session, p_ask)
    ON CONFLICT (organization_id, session_id) DO UPDATE SET ask_id = excluded.ask_id WHERE a.ask_id < excluded.ask_id;
  v_first := FOUND;
  SELECT o.time_zone INTO v_zone FROM organization o WHERE o.id = p_organization;

  FOR r IN SELECT * FROM json_to_recordset(v_rows) AS r("limit" uuid, subject text, keep json, need numeric, least numeric, spare numeric, stopped boolean) LOOP
    SELECT * INTO l FROM usage_limit u WHERE u.organization_id = p_organization AND u.id = r.limit;
    IF NOT FOUND THEN v_states := v_states || 'null'::json; CONTINUE; END IF;
    v_rest := l.subject_kind = 'end_user' AND r.need + r.spare > 0 AND limit_is_full(l, r.subject, v_zone, v_now);
    IF v_first THEN
      PERFORM limit_keep(p_session, p_organization, r.limit, r.subject, r.keep);
      IF r.need + r.spare > 0 AND NOT v_rest THEN PERFORM limit_take(p_session, l, r.subject, p_first_usage, r.need, r.least, r.spare, v_zone, v_now); END IF;
      IF r.stopped THEN PERFORM limit_event(l, r.subject, v_zone, v_now); END IF;
    END IF;
    v_states := v_states || CASE WHEN v_rest THEN json_build_object('limit', l.id, 'subject', r.subject, 'amount', l.amount::text, 'remaining', '0', 'pending', false,
      'freeAtMs', NULL, 'resetAtMs', NULL, 'slices', '[]'::json, 'rest', true) ELSE limit_state(p_session, l, r.subject, r.least, v_zone, v_now) END;
  END LOOP;

  DELETE FROM limit_counter WHERE (organization_id, limit_id, subject, window_start_ms) IN (
    SELECT organization_id, limit_id, subject, window_start_ms FROM limit_counter WHERE organization_id = p_organization AND expires_at < v_now LIMIT 500);
  RETURN array_to_json(v_states);
END $$;

-- As before. What end users of the rest used is in no usage row under that name: it stays counted as it was taken.
CREATE OR REPLACE FUNCTION limit_reap(p_session uuid) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_organization uuid; v_slices integer;
BEGIN
  FOR v_organization IN SELECT DISTINCT organization_id FROM limit_slice WHERE session_id = p_session ORDER BY 1 LOOP
    PERFORM pg_advisory_xact_lock(hashtextextended('limits' || v_organization::text, 0));
  END LOOP;
  WITH slice AS MATERIALIZED (
    SELECT s.*, n.window_end_ms, l.subject_kind, l.measure, l.unit, l.window_kind,
      l.window_kind IN ('day', 'week', 'month') AND l.measure <> 'requests' AND NOT (l.subject_kind = 'end_user' AND s.subject = limit_rest()) AS is_known
    FROM limit_slice s JOIN usage_limit l ON l.organization_id = s.organization_id AND l.id = s.limit_id
    JOIN limit_counter n ON n.organization_id = s.organization_id AND n.limit_id = s.limit_id AND n.subject = s.subject AND n.window_start_ms = s.window_start_ms
    WHERE s.session_id = p_session),
  used AS (
    SELECT s.organization_id, s.limit_id, s.subject, s.window_start_ms, sum(CASE s.measure
        WHEN 'money' THEN CASE WHEN u.unit = s.unit THEN u.charge ELSE 0 END
        WHEN 'input_tokens' THEN t.input WHEN 'output_tokens' THEN t.output ELSE t.input + t.output END) AS amount
    FROM (SELECT DISTINCT ON (organization_id) organization_id, first_usage_id FROM slice WHERE is_known ORDER BY organization_id, first_usage_id) o
    JOIN usage u ON u.organization_id = o.organization_id AND u.session_id = p_session AND u.id >= o.first_usage_id
    CROSS JOIN LATERAL (SELECT coalesce(sum(n.tokens) FILTER (WHERE n.is_output), 0) AS output, coalesce(sum(n.tokens) FILTER (WHERE NOT n.is_output), 0) AS input
      FROM (SELECT CASE jsonb_typeof(value) WHEN 'number' THEN value::numeric END AS tokens, key IN ('output', 'reasoning', 'audio_out', 'image_out') AS is_output
        FROM jsonb_each(u.counts)) n) t
    LEFT JOIN api_key k ON k.organization_id = u.organization_id AND k.id = u.api_key_id
    CROSS JOIN LATERAL (VALUES ('organization', u.organization_id::text), ('project', u.project_id::text),
      ('key', coalesce(k.lineage_id, u.api_key_id)::text), ('end_user', coalesce(u.end_user, ''))) AS of(kind, subject)
    JOIN slice s ON s.is_known AND s.organization_id = u.organization_id AND s.subject_kind = of.kind AND s.subject = of.subject AND u.id >= s.first_usage_id
      AND u.admitted_at >= 'epoch'::timestamptz + s.window_start_ms * interval '1 millisecond' AND u.admitted_at < 'epoch'::timestamptz + s.window_end_ms * interval '1 millisecond'
    GROUP BY 1, 2, 3, 4)
  UPDATE limit_counter c SET taken = greatest(0, c.taken - s.amount + CASE WHEN s.is_known THEN least(s.amount, coalesce(u.amount, 0)) WHEN s.window_kind = 'none' THEN 0 ELSE s.amount END)
  FROM slice s LEFT JOIN used u ON u.organization_id = s.organization_id AND u.limit_id = s.limit_id AND u.subject = s.subject AND u.window_start_ms = s.window_start_ms
  WHERE c.organization_id = s.organization_id AND c.limit_id = s.limit_id AND c.subject = s.subject AND c.window_start_ms = s.window_start_ms;
  DELETE FROM limit_slice WHERE session_id = p_session;
  GET DIAGNOSTICS v_slices = ROW_COUNT;
  DELETE FROM limit_ask WHERE session_id = p_session;
  RETURN v_slices;
END $$;

-- ── Tags of rollups ────────────────────────────────────────────────────────────────────────────────────────────
-- The tags of an organization that have sums of their own on a day of UTC. Written before their first sum, and never taken back, so that
-- a rebuild makes the same sums.
CREATE TABLE rollup_tag (
  organization_id uuid NOT NULL,
  day             timestamptz NOT NULL,
  tag_key         text NOT NULL CHECK (length(tag_key) BETWEEN 1 AND 64),
  tag_value       text NOT NULL CHECK (length(tag_value) <= 128),
  PRIMARY KEY (organization_id, day, tag_key, tag_value)
);

-- Key and value of the rest.
CREATE FUNCTION rollup_rest() RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT '(other)' $$;
-- Tags of an organization and day that have sums of their own, and values of one key among them: one key cannot take all.
CREATE FUNCTION rollup_tags_max() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT 1000 $$;
CREATE FUNCTION rollup_values_max() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT 500 $$;

-- Of a request's tags the first 8 count, by their key's bytes, values by their first 128 characters.
CREATE FUNCTION rollup_tags_of(p_tags jsonb) RETURNS TABLE (key text, value text) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT e.key, left(coalesce(e.value, ''), 128) FROM jsonb_each_text(CASE WHEN jsonb_typeof(p_tags) = 'object' THEN p_tags END) e
    WHERE e.key <> '' ORDER BY e.key COLLATE "C" LIMIT 8
$$;

-- Gives tags of these usage rows sums of their own while there is room, in the order of their bytes. Under the lock of rollup_add.
CREATE FUNCTION rollup_tags_name(p_organizations uuid[], p_ids uuid[], p_attempts smallint[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
  INSERT INTO rollup_tag (organization_id, day, tag_key, tag_value)
  WITH fresh AS (
    SELECT DISTINCT u.organization_id, date_bin('1 day', u.settled_at, 'epoch') AS day, e.key, e.value
    FROM unnest(p_organizations, p_ids, p_attempts) AS k(organization_id, id, attempt)
    JOIN usage u ON u.organization_id = k.organization_id AND u.id = k.id AND u.attempt = k.attempt
    CROSS JOIN LATERAL rollup_tags_of(u.tags) e
    WHERE u.tags IS NOT NULL AND length(e.key) <= 64 AND e.key <> rollup_rest() AND e.value <> rollup_rest()
      AND NOT EXISTS (SELECT FROM rollup_tag t WHERE t.organization_id = u.organization_id AND t.day = date_bin('1 day', u.settled_at, 'epoch') AND t.tag_key = e.key AND t.tag_value = e.value)),
  of_key AS (
    SELECT f.*, row_number() OVER (PARTITION BY f.organization_id, f.day, f.key ORDER BY f.value COLLATE "C") + n.known AS place
    FROM fresh f JOIN (SELECT d.organization_id, d.day, d.key, (SELECT count(*) FROM rollup_tag t WHERE t.organization_id = d.organization_id AND t.day = d.day AND t.tag_key = d.key) AS known
      FROM (SELECT DISTINCT organization_id, day, key FROM fresh) d) n USING (organization_id, day, key)),
  of_day AS (
    SELECT o.*, row_number() OVER (PARTITION BY o.organization_id, o.day ORDER BY o.key COLLATE "C", o.value COLLATE "C") + n.known AS day_place
    FROM of_key o JOIN (SELECT d.organization_id, d.day, (SELECT count(*) FROM rollup_tag t WHERE t.organization_id = d.organization_id AND t.day = d.day) AS known
      FROM (SELECT DISTINCT organization_id, day FROM fresh) d) n USING (organization_id, day)
    WHERE o.place <= rollup_values_max())
  SELECT organization_id, day, key, value FROM of_day WHERE day_place <= rollup_tags_max();
END $$;

-- As before, in three statements of one transaction: flushes leave the queue, their tags are named, their rows are added up. A tag without
-- sums of its own counts under its key's rest, or under the rest of all where its key has none.
CREATE OR REPLACE FUNCTION rollup_add(p_batches integer) RETURNS TABLE (batches bigint, rows bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_sort = off SET jit = off AS $$
DECLARE v_batches bigint; v_organizations uuid[]; v_ids uuid[]; v_attempts smallint[];
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('usage_rollup', 0)) THEN RETURN QUERY SELECT 0::bigint, 0::bigint; RETURN; END IF;
  WITH taken AS (
    DELETE FROM unrolled_batch b USING (
      -- Many small flushes, or few large ones: what one call adds is bounded by rows too.
      SELECT session_id, flush, shard, sum(cardinality(usage_ids)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS rows_before
      FROM (SELECT session_id, flush, shard, usage_ids FROM unrolled_batch LIMIT p_batches) w) n
    WHERE coalesce(n.rows_before, 0) < 40000 AND b.session_id = n.session_id AND b.flush = n.flush AND b.shard = n.shard RETURNING b.organization_ids, b.usage_ids, b.attempts),
  key AS (
    SELECT k.* FROM taken CROSS JOIN LATERAL unnest(organization_ids, usage_ids, attempts) AS k(organization_id, id, attempt))
  SELECT (SELECT count(*) FROM taken), array_agg(k.organization_id), array_agg(k.id), array_agg(k.attempt) INTO v_batches, v_organizations, v_ids, v_attempts FROM key k;
  IF v_batches = 0 THEN RETURN QUERY SELECT 0::bigint, 0::bigint; RETURN; END IF;
  PERFORM rollup_tags_name(v_organizations, v_ids, v_attempts);
  RETURN QUERY
  WITH key AS MATERIALIZED (
    SELECT k.* FROM unnest(v_organizations, v_ids, v_attempts) AS k(organization_id, id, attempt)),
  measured AS (
    SELECT u.organization_id, u.project_id, u.api_key_id, u.model, coalesce(u.lane_id, '00000000-0000-0000-0000-000000000000') AS lane_id, u.unit,
      u.cost_currency, u.counts, u.charge, u.cost, u.tags, date_bin('1 minute', u.settled_at, 'epoch') AS minute,
      -- The last attempt has a status: it is the request.
      (u.status <> 0)::integer AS request, (u.status <> 0 AND u.outcome NOT IN ('completed', 'client_closed'))::integer AS error,
      rollup_ms(u.admitted_at, u.first_token_at) AS first_ms, CASE WHEN u.outcome = 'completed' THEN rollup_ms(u.admitted_at, u.finished_at) END AS whole_ms
    FROM key k JOIN usage u ON u.organization_id = k.organization_id AND u.id = k.id AND u.attempt = k.attempt),
  tagged AS (
    SELECT m.*, t.key AS tag_key, t.value AS tag_value, rollup_bucket(m.first_ms) AS f, rollup_bucket(m.whole_ms) AS w
    FROM measured m CROSS JOIN LATERAL (
      SELECT '' AS key, '' AS value
      -- Two tags of a request that are both among the rest are one there.
      UNION ALL (SELECT DISTINCT
          CASE WHEN own.tag_key IS NOT NULL OR EXISTS (SELECT FROM rollup_tag k WHERE k.organization_id = m.organization_id AND k.day = date_bin('1 day', m.minute, 'epoch') AND k.tag_key = e.key)
            THEN e.key ELSE rollup_rest() END,
          CASE WHEN own.tag_key IS NOT NULL THEN e.value ELSE rollup_rest() END
        FROM rollup_tags_of(m.tags) e LEFT JOIN rollup_tag own
          ON own.organization_id = m.organization_id AND own.day = date_bin('1 day', m.minute, 'epoch') AND own.tag_key = e.key AND own.tag_value = e.value)) t
    -- Each bucket is found once, not for each of its 13 places.
    OFFSET 0),
  by_minute AS MATERIALIZED (
    SELECT organization_id, tag_key, minute, project_id, api_key_id, model, lane_id, unit, cost_currency, tag_value,
      sum(request) AS requests, sum(error) AS errors, count(*) - sum(request) AS failed_attempts,
      sum(rollup_tokens(counts, 'input')) AS input, sum(rollup_tokens(counts, 'cached_read')) AS cached_read,
      sum(rollup_tokens(counts, 'cache_write_5m')) AS cache_write_5m, sum(rollup_tokens(counts, 'cache_write_1h')) AS cache_write_1h,
      sum(rollup_tokens(counts, 'audio_in')) AS audio_in, sum(rollup_tokens(counts, 'image_in')) AS image_in,
      sum(rollup_tokens(counts, 'output')) AS output, sum(rollup_tokens(counts, 'reasoning')) AS reasoning,
      sum(rollup_tokens(counts, 'audio_out')) AS audio_out, sum(rollup_tokens(counts, 'image_out')) AS image_out,
      sum(charge) AS charge, sum(cost) AS cost, coalesce(sum(first_ms), 0) AS first_ms,
      ARRAY[count(*) FILTER (WHERE f = 0), count(*) FILTER (WHERE f = 1), count(*) FILTER (WHERE f = 2), count(*) FILTER (WHERE f = 3),
        count(*) FILTER (WHERE f = 4), count(*) FILTER (WHERE f = 5), count(*) FILTER (WHERE f = 6), count(*) FILTER (WHERE f = 7),
        count(*) FILTER (WHERE f = 8), count(*) FILTER (WHERE f = 9), count(*) FILTER (WHERE f = 10), count(*) FILTER (WHERE f = 11),
        count(*) FILTER (WHERE f = 12)] AS first_histogram,
      coalesce(sum(whole_ms), 0) AS whole_ms,
      ARRAY[count(*) FILTER (WHERE w = 0), count(*) FILTER (WHERE w = 1), count(*) FILTER (WHERE w = 2), count(*) FILTER (WHERE w = 3),
        count(*) FILTER (WHERE w = 4), count(*) FILTER (WHERE w = 5), count(*) FILTER (WHERE w = 6), count(*) FILTER (WHERE w = 7),
        count(*) FILTER (WHERE w = 8), count(*) FILTER (WHERE w = 9), count(*) FILTER (WHERE w = 10), count(*) FILTER (WHERE w = 11),
        count(*) FILTER (WHERE w = 12)] AS whole_histogram
    FROM tagged GROUP BY organization_id, tag_key, minute, project_id, api_key_id, model, lane_id, unit, cost_currency, tag_value),
  added AS (
    INSERT INTO usage_rollup AS r
    SELECT organization_id, CASE WHEN GROUPING(minute) = 0 THEN 1 WHEN GROUPING(quarter) = 0 THEN 15 ELSE 1440 END, tag_key, coalesce(minute, quarter, day),
      project_id, api_key_id, model, lane_id, unit, cost_currency, tag_value, sum(requests), sum(errors), sum(failed_attempts),
      sum(input), sum(cached_read), sum(cache_write_5m), sum(cache_write_1h), sum(audio_in), sum(image_in),
      sum(output), sum(reasoning), sum(audio_out), sum(image_out), sum(charge), sum(cost), sum(first_ms),
      ARRAY[sum(first_histogram[1]), sum(first_histogram[2]), sum(first_histogram[3]), sum(first_histogram[4]), sum(first_histogram[5]), sum(first_histogram[6]), sum(first_histogram[7]),
        sum(first_histogram[8]), sum(first_histogram[9]), sum(first_histogram[10]), sum(first_histogram[11]), sum(first_histogram[12]), sum(first_histogram[13])]::bigint[],
      sum(whole_ms),
      ARRAY[sum(whole_histogram[1]), sum(whole_histogram[2]), sum(whole_histogram[3]), sum(whole_histogram[4]), sum(whole_histogram[5]), sum(whole_histogram[6]), sum(whole_histogram[7]),
        sum(whole_histogram[8]), sum(whole_histogram[9]), sum(whole_histogram[10]), sum(whole_histogram[11]), sum(whole_histogram[12]), sum(whole_histogram[13])]::bigint[]
    FROM (SELECT *, date_bin('15 minutes', minute, 'epoch') AS quarter, date_bin('1 day', minute, 'epoch') AS day FROM by_minute) m
    GROUP BY organization_id, tag_key, project_id, api_key_id, model, lane_id, unit, cost_currency, tag_value, GROUPING SETS ((minute), (quarter), (day))
    ON CONFLICT (organization_id, grain_minutes, tag_key, starts_at, project_id, api_key_id, model, lane_id, unit, cost_currency, tag_value) DO UPDATE SET
      requests = r.requests + excluded.requests, errors = r.errors + excluded.errors, failed_attempts = r.failed_attempts + excluded.failed_attempts,
      input_tokens = r.input_tokens + excluded.input_tokens, cached_read_tokens = r.cached_read_tokens + excluded.cached_read_tokens,
      cache_write_5m_tokens = r.cache_write_5m_tokens + excluded.cache_write_5m_tokens,
      cache_write_1h_tokens = r.cache_write_1h_tokens + excluded.cache_write_1h_tokens,
      audio_in_tokens = r.audio_in_tokens + excluded.audio_in_tokens, image_in_tokens = r.image_in_tokens + excluded.image_in_tokens,
      output_tokens = r.output_tokens + excluded.output_tokens, reasoning_tokens = r.reasoning_tokens + excluded.reasoning_tokens,
      audio_out_tokens = r.audio_out_tokens + excluded.audio_out_tokens, image_out_tokens = r.image_out_tokens + excluded.image_out_tokens,
      charge = r.charge + excluded.charge, cost = r.cost + excluded.cost, first_token_ms = r.first_token_ms + excluded.first_token_ms,
      first_token_histogram = rollup_histogram_add(r.first_token_histogram, excluded.first_token_histogram),
      duration_ms = r.duration_ms + excluded.duration_ms,
      duration_histogram = rollup_histogram_add(r.duration_histogram, excluded.duration_histogram))
  SELECT v_batches, (SELECT count(*) FROM key);
END $$;

-- As the migration `diagnostics` has it, but longer than any two moments are apart: an infinite time alone is cut.
CREATE OR REPLACE FUNCTION rollup_ms(p_since timestamptz, p_until timestamptz) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$ SELECT CASE WHEN p_until > p_since THEN least(round(extract(epoch FROM p_until - p_since) * 1000), 10000000000000000) WHEN p_until <= p_since THEN 0 END $$;

-- Sums that there are keep their tags.
INSERT INTO rollup_tag SELECT DISTINCT organization_id, starts_at, tag_key, tag_value FROM usage_rollup
  WHERE grain_minutes = 1440 AND tag_key <> '' AND length(tag_key) <= 64 AND tag_key <> rollup_rest() AND tag_value <> rollup_rest();

-- ── Idempotency keys ───────────────────────────────────────────────────────────────────────────────────────────
-- How many keys of an organization were claimed on a day of UTC. Sixteen rows, so that claims seldom wait for each other.
CREATE TABLE idempotency_tally (
  organization_id uuid NOT NULL REFERENCES organization (id),
  day             date NOT NULL,
  slot            smallint NOT NULL CHECK (slot BETWEEN 0 AND 15),
  claims          bigint NOT NULL CHECK (claims >= 0),
  PRIMARY KEY (organization_id, day, slot)
) WITH (fillfactor = 50);
CREATE FUNCTION idempotency_slot(p_claim uuid) RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT (get_byte(uuid_send(p_claim), 15) % 16)::smallint $$;
CREATE FUNCTION idempotency_keys_max() RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT 500000::bigint $$;

-- As before. An organization that has claimed as many keys today as it may is answered `full`; the older `sameBody` and `status` are for gateways
-- of the release before, which take it for a conflict. Keys that are known are answered as ever.
CREATE OR REPLACE FUNCTION idempotency_claim(p_session uuid, p_organization uuid, p_key text, p_claim uuid, p_body_hash bytea, p_keep_ms bigint, p_unbound_ms bigint)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_now timestamptz := kt_now(); v_expires timestamptz := kt_now() + p_keep_ms * interval '1 millisecond'; c idempotency_claim; g record; v_is_new boolean;
BEGIN
  PERFORM session_fence(p_session);
  IF NOT EXISTS (SELECT FROM idempotency_claim WHERE organization_id = p_organization AND key = p_key) AND (
    SELECT coalesce(sum(t.claims), 0) FROM idempotency_tally t WHERE t.organization_id = p_organization AND t.day = (v_now AT TIME ZONE 'UTC')::date) >= idempotency_keys_max() THEN
    RETURN json_build_object('claimed', false, 'full', true, 'sameBody', true, 'status', 'running');
  END IF;
  -- The update changes nothing: it locks the row that is there, and waits for whoever is about to write it.
  INSERT INTO idempotency_claim AS i (organization_id, key, claim_id, body_hash, session_id, claimed_at, expires_at)
    VALUES (p_organization, p_key, p_claim, p_body_hash, p_session, v_now, v_expires)
    ON CONFLICT (organization_id, key) DO UPDATE SET claim_id = i.claim_id RETURNING i.* INTO c;
  IF c.claim_id = p_claim THEN
    -- Executed again it counts again: once too often, which nobody depends on.
    INSERT INTO idempotency_tally AS t (organization_id, day, slot, claims) VALUES (p_organization, (c.claimed_at AT TIME ZONE 'UTC')::date, idempotency_slot(p_claim), 1)
      ON CONFLICT (organization_id, day, slot) DO UPDATE SET claims = t.claims + 1 RETURNING claims = 1 INTO v_is_new;
    IF v_is_new THEN
      DELETE FROM idempotency_tally WHERE organization_id = p_organization AND ctid = ANY (ARRAY(
        SELECT o.ctid FROM idempotency_tally o WHERE o.organization_id = p_organization AND o.day < (v_now AT TIME ZONE 'UTC')::date - 1 FOR UPDATE SKIP LOCKED));
    END IF;
    RETURN json_build_object('claimed', true);
  END IF;

  -- One statement, one snapshot: a session that is seen as reaped has left all that it will ever be billed for.
  SELECT s.reaped_at IS NOT NULL AS is_reaped, u.attempts > 0 AS is_settled, coalesce(u.is_completed, false) AS is_completed, u.charge, u.unit,
      EXISTS (SELECT FROM usage_quarantine q WHERE q.organization_id = p_organization AND q.id = c.request_id
        AND (q.reason LIKE 'settle:%' OR q.reason LIKE 'reap:%')) AS is_quarantined
    INTO STRICT g
    FROM session s CROSS JOIN (
      SELECT count(*) AS attempts, bool_or(outcome = 'completed') AS is_completed, coalesce(sum(charge), 0) AS charge, min(unit) AS unit
      FROM usage WHERE organization_id = p_organization AND id = c.request_id) u
    WHERE s.id = c.session_id;

  IF c.expires_at <= v_now
    OR (c.request_id IS NULL AND (g.is_reaped OR c.claimed_at <= v_now - p_unbound_ms * interval '1 millisecond'))
    OR (c.request_id IS NOT NULL AND CASE WHEN g.is_settled THEN NOT g.is_completed AND g.charge = 0 ELSE g.is_reaped AND NOT g.is_quarantined END)
  THEN
    UPDATE idempotency_claim SET claim_id = p_claim, body_hash = p_body_hash, session_id = p_session, request_id = NULL, claimed_at = v_now, expires_at = v_expires
      WHERE organization_id = p_organization AND key = p_key;
    RETURN json_build_object('claimed', true);
  END IF;
  RETURN json_build_object('claimed', false, 'sameBody', c.body_hash = p_body_hash, 'requestId', c.request_id,
    'status', CASE WHEN g.is_completed THEN 'completed' WHEN g.is_settled OR g.is_quarantined THEN 'failed' ELSE 'running' END,
    'charge', CASE WHEN g.is_settled THEN g.charge::text END, 'unit', CASE WHEN g.is_settled THEN g.unit END);
END $$;

-- As before; a key that is given back is not counted.
CREATE OR REPLACE FUNCTION idempotency_release(p_session uuid, p_organization uuid, p_key text, p_claim uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_claimed_at timestamptz;
BEGIN
  PERFORM session_fence(p_session);
  DELETE FROM idempotency_claim WHERE organization_id = p_organization AND key = p_key AND claim_id = p_claim
    RETURNING claimed_at INTO v_claimed_at;
  UPDATE idempotency_tally SET claims = claims - 1
    WHERE organization_id = p_organization AND day = (v_claimed_at AT TIME ZONE 'UTC')::date AND slot = idempotency_slot(p_claim) AND claims > 0;
END $$;

-- ── Row-level security and rights ──────────────────────────────────────────────────────────────────────────────
DO $$
DECLARE t text; f record;
BEGIN
  FOREACH t IN ARRAY ARRAY['rollup_tag', 'idempotency_tally'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I FOR SELECT TO kilotoken_app USING (organization_id = current_organization())', t);
    EXECUTE format('CREATE POLICY crossing ON %I TO kilotoken_definer USING (true) WITH CHECK (true)', t);
  END LOOP;
  GRANT SELECT ON rollup_tag, idempotency_tally TO kilotoken_app;
  GRANT SELECT, INSERT ON rollup_tag TO kilotoken_definer;
  GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_tally TO kilotoken_definer;
  FOR f IN SELECT p.oid::regprocedure AS signature FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.proname IN ('limit_rest',
      'limit_subjects_max', 'limit_is_full', 'rollup_rest', 'rollup_tags_max', 'rollup_values_max', 'rollup_tags_of', 'rollup_tags_name', 'idempotency_slot', 'idempotency_keys_max') LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f.signature);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO kilotoken_definer', f.signature);
  END LOOP;
END $$;
