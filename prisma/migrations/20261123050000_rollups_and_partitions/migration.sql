-- Why: what was used, by time and by who, model, lane and tag, for every chart; partitions of usage that are made ahead, and
-- ranges of it that have left the database without a row of them being billable again.
-- Locks: a moment's SHARE ROW EXCLUSIVE on unrated_batch and usage_default (triggers). Nothing that exists is read.

-- ── Rollups ────────────────────────────────────────────────────────────────────────────────────────────────────
-- What one combination of project, key, model, lane, units and tag used in a minute, a quarter of an hour or a day of UTC, by
-- the time at which it settled. Quarters, since there are zones whose days begin at :30 and :45. A row with tag_key '' counts
-- everything; for each tag of a request it is counted once more, under that tag. Without a lane, lane_id is all zeros.
CREATE TABLE usage_rollup (
  organization_id        uuid NOT NULL,
  grain_minutes          smallint NOT NULL CHECK (grain_minutes IN (1, 15, 1440)),
  tag_key                text NOT NULL,
  starts_at              timestamptz NOT NULL,
  project_id             uuid NOT NULL,
  api_key_id             uuid NOT NULL,
  model                  text NOT NULL,
  lane_id                uuid NOT NULL,
  unit                   text NOT NULL,
  cost_currency          text NOT NULL,
  tag_value              text NOT NULL,
  requests               bigint NOT NULL,
  errors                 bigint NOT NULL,
  failed_attempts        bigint NOT NULL,
  input_tokens           numeric(38, 0) NOT NULL,
  cached_read_tokens     numeric(38, 0) NOT NULL,
  cache_write_5m_tokens  numeric(38, 0) NOT NULL,
  cache_write_1h_tokens  numeric(38, 0) NOT NULL,
  audio_in_tokens        numeric(38, 0) NOT NULL,
  image_in_tokens        numeric(38, 0) NOT NULL,
  output_tokens          numeric(38, 0) NOT NULL,
  reasoning_tokens       numeric(38, 0) NOT NULL,
  audio_out_tokens       numeric(38, 0) NOT NULL,
  image_out_tokens       numeric(38, 0) NOT NULL,
  charge                 numeric(38, 12) NOT NULL,
  cost                   numeric(38, 12) NOT NULL,
  first_token_ms         numeric(38, 0) NOT NULL,
  first_token_histogram  bigint[] NOT NULL,
  duration_ms            numeric(38, 0) NOT NULL,
  duration_histogram     bigint[] NOT NULL,
  PRIMARY KEY (organization_id, grain_minutes, tag_key, starts_at, project_id, api_key_id, model, lane_id, unit, cost_currency, tag_value)
) WITH (fillfactor = 70);

-- Rollups by the minute are kept from here on; older ones are no longer counted on, and go.
CREATE TABLE rollup_horizon (
  only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  minutes_from timestamptz NOT NULL DEFAULT 'epoch'
);
INSERT INTO rollup_horizon DEFAULT VALUES;

-- Rated flushes whose rows no rollup counts yet: as unrated_batch had them, put here by the transaction that rated them.
CREATE TABLE unrolled_batch (
  session_id       uuid NOT NULL,
  flush            bigint NOT NULL,
  shard            smallint NOT NULL,
  organization_ids uuid[] NOT NULL,
  usage_ids        uuid[] NOT NULL,
  attempts         smallint[] NOT NULL,
  created_at       timestamptz NOT NULL DEFAULT kt_now(),
  PRIMARY KEY (session_id, flush, shard)
) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

-- A trigger, so that whatever rates, of this release or the one before, leaves its flushes to the rollups in its transaction.
CREATE FUNCTION unrolled_put() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  INSERT INTO unrolled_batch (session_id, flush, shard, organization_ids, usage_ids, attempts, created_at)
    SELECT session_id, flush, shard, organization_ids, usage_ids, attempts, created_at FROM rated;
  RETURN NULL;
END $$;
CREATE TRIGGER rated_to_unrolled AFTER DELETE ON unrated_batch REFERENCING OLD TABLE AS rated
  FOR EACH STATEMENT EXECUTE FUNCTION unrolled_put();

-- The tokens of a class. What is no whole number from 0 to 2⁵³−1 is an error of the vendor, in quarantine, and counts nothing.
CREATE FUNCTION rollup_tokens(p_counts jsonb, p_class text) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$ SELECT CASE WHEN jsonb_typeof(p_counts -> p_class) = 'number' THEN
    CASE WHEN (p_counts ->> p_class)::numeric BETWEEN 0 AND 9007199254740991 AND (p_counts ->> p_class)::numeric % 1 = 0
      THEN (p_counts ->> p_class)::numeric ELSE 0 END ELSE 0 END $$;

-- Whole milliseconds; a clock that stepped back makes no negative ones, and a moment that never came makes none.
CREATE FUNCTION rollup_ms(p_since timestamptz, p_until timestamptz) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$ SELECT CASE WHEN p_until > p_since THEN round(extract(epoch FROM p_until - p_since) * 1000) WHEN p_until <= p_since THEN 0 END $$;

-- Which of 13 buckets: below 50 ms, below 100 ms, and so on doubling; the last one is open.
CREATE FUNCTION rollup_bucket(p_ms numeric) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$ SELECT width_bucket(p_ms, ARRAY[50, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 102400]::numeric[]) $$;

CREATE FUNCTION rollup_histogram_add(p_one bigint[], p_other bigint[]) RETURNS bigint[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$ SELECT array_agg(o.one + o.other ORDER BY o.position) FROM unnest(p_one, p_other) WITH ORDINALITY AS o(one, other, position) $$;

-- Adds flushes that wait to the rollups and takes them out of the queue: one statement, so whenever its caller dies each is
-- counted once. One at a time; another caller is answered zeros at once. Of a request's tags the first 8 count, by their
-- key's bytes, values by their first 128 characters: what a request can cost here is bounded.
CREATE FUNCTION rollup_add(p_batches integer) RETURNS TABLE (batches bigint, rows bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('usage_rollup', 0)) THEN RETURN QUERY SELECT 0::bigint, 0::bigint; RETURN; END IF;
  RETURN QUERY
  WITH taken AS (
    DELETE FROM unrolled_batch b USING (
      -- Many small flushes, or few large ones: what one statement adds is bounded by rows too.
      SELECT session_id, flush, shard, sum(cardinality(usage_ids)) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS rows_before
      FROM (SELECT session_id, flush, shard, usage_ids FROM unrolled_batch LIMIT p_batches) w) n
    WHERE coalesce(n.rows_before, 0) < 40000 AND b.session_id = n.session_id AND b.flush = n.flush AND b.shard = n.shard RETURNING b.organization_ids, b.usage_ids, b.attempts),
  key AS MATERIALIZED (
    SELECT k.* FROM taken CROSS JOIN LATERAL unnest(organization_ids, usage_ids, attempts) AS k(organization_id, id, attempt)),
  measured AS (
    SELECT u.organization_id, u.project_id, u.api_key_id, u.model, coalesce(u.lane_id, '00000000-0000-0000-0000-000000000000') AS lane_id, u.unit,
      u.cost_currency, u.counts, u.charge, u.cost, u.tags, date_bin('1 minute', u.settled_at, 'epoch') AS minute,
      date_bin('15 minutes', u.settled_at, 'epoch') AS quarter, date_bin('1 day', u.settled_at, 'epoch') AS day,
      -- The last attempt has a status: it is the request.
      (u.status <> 0)::integer AS request, (u.status <> 0 AND u.outcome NOT IN ('completed', 'client_closed'))::integer AS error,
      rollup_ms(u.admitted_at, u.first_token_at) AS first_ms, CASE WHEN u.outcome = 'completed' THEN rollup_ms(u.admitted_at, u.finished_at) END AS whole_ms
    FROM key k JOIN usage u ON u.organization_id = k.organization_id AND u.id = k.id AND u.attempt = k.attempt),
  tagged AS (
    SELECT m.*, t.key AS tag_key, t.value AS tag_value, rollup_bucket(m.first_ms) AS f, rollup_bucket(m.whole_ms) AS w
    FROM measured m CROSS JOIN LATERAL (
      SELECT '' AS key, '' AS value
      UNION ALL (SELECT e.key, left(coalesce(e.value, ''), 128) FROM jsonb_each_text(CASE WHEN jsonb_typeof(m.tags) = 'object' THEN m.tags END) e
        WHERE e.key <> '' ORDER BY e.key COLLATE "C" LIMIT 8)) t),
  added AS (
    INSERT INTO usage_rollup AS r
    SELECT organization_id, CASE WHEN GROUPING(minute) = 0 THEN 1 WHEN GROUPING(quarter) = 0 THEN 15 ELSE 1440 END, tag_key, coalesce(minute, quarter, day),
      project_id, api_key_id, model, lane_id, unit, cost_currency, tag_value, sum(request), sum(error), count(*) - sum(request),
      sum(rollup_tokens(counts, 'input')), sum(rollup_tokens(counts, 'cached_read')), sum(rollup_tokens(counts, 'cache_write_5m')),
      sum(rollup_tokens(counts, 'cache_write_1h')), sum(rollup_tokens(counts, 'audio_in')), sum(rollup_tokens(counts, 'image_in')),
      sum(rollup_tokens(counts, 'output')), sum(rollup_tokens(counts, 'reasoning')), sum(rollup_tokens(counts, 'audio_out')),
      sum(rollup_tokens(counts, 'image_out')), sum(charge), sum(cost), coalesce(sum(first_ms), 0),
      ARRAY[count(*) FILTER (WHERE f = 0), count(*) FILTER (WHERE f = 1), count(*) FILTER (WHERE f = 2), count(*) FILTER (WHERE f = 3),
        count(*) FILTER (WHERE f = 4), count(*) FILTER (WHERE f = 5), count(*) FILTER (WHERE f = 6), count(*) FILTER (WHERE f = 7),
        count(*) FILTER (WHERE f = 8), count(*) FILTER (WHERE f = 9), count(*) FILTER (WHERE f = 10), count(*) FILTER (WHERE f = 11),
        count(*) FILTER (WHERE f = 12)],
      coalesce(sum(whole_ms), 0),
      ARRAY[count(*) FILTER (WHERE w = 0), count(*) FILTER (WHERE w = 1), count(*) FILTER (WHERE w = 2), count(*) FILTER (WHERE w = 3),
        count(*) FILTER (WHERE w = 4), count(*) FILTER (WHERE w = 5), count(*) FILTER (WHERE w = 6), count(*) FILTER (WHERE w = 7),
        count(*) FILTER (WHERE w = 8), count(*) FILTER (WHERE w = 9), count(*) FILTER (WHERE w = 10), count(*) FILTER (WHERE w = 11),
        count(*) FILTER (WHERE w = 12)]
    FROM tagged
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
  SELECT (SELECT count(*) FROM taken), (SELECT count(*) FROM key);
END $$;

-- How far behind the rollups are: flushes waiting, counted up to 10,001, and the age of the oldest of these. They are taken in the
-- order in which they lie here, so what is looked at is what is next.
CREATE FUNCTION rollup_lag() RETURNS TABLE (batches bigint, oldest_seconds double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT count(*), coalesce(extract(epoch FROM kt_now() - min(created_at)), 0)::double precision
  FROM (SELECT created_at FROM unrolled_batch LIMIT 10001) AS bounded
$$;

-- Moves the horizon to so many days ago and deletes up to p_rows rollups by the minute that lie before it. Answers how many.
CREATE FUNCTION rollup_prune(p_days integer, p_rows integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_from timestamptz := date_bin('1 day', kt_now() - make_interval(days => greatest(p_days, 2)), 'epoch'); v_rows bigint;
BEGIN
  UPDATE rollup_horizon SET minutes_from = v_from WHERE minutes_from < v_from;
  DELETE FROM usage_rollup WHERE ctid = ANY (ARRAY(
    SELECT r.ctid FROM usage_rollup r WHERE r.grain_minutes = 1 AND r.starts_at < (SELECT minutes_from FROM rollup_horizon) LIMIT p_rows));
  GET DIAGNOSTICS v_rows = ROW_COUNT;
  RETURN v_rows;
END $$;

-- Makes whole days of UTC anew from usage, in the caller's transaction: others see the old rows until it commits, the new
-- ones after. What waits to be rated or rolled up is left to be added in its turn, so usage may arrive all the while. The
-- owner's; refuses days of which usage has left the database (KT031). Answers how many usage rows were counted.
CREATE FUNCTION rollup_rebuild(p_from timestamptz, p_until timestamptz) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_rows bigint; v_gone text; v_batches bigint;
BEGIN
  IF p_from <> date_bin('1 day', p_from, 'epoch') OR p_until <> date_bin('1 day', p_until, 'epoch') OR p_from >= p_until THEN
    RAISE EXCEPTION 'whole days of UTC are rebuilt, not % to %', p_from, p_until USING ERRCODE = 'KT030';
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('usage_rollup', 0));
  SELECT partition INTO v_gone FROM usage_archive
    WHERE detached_at IS NOT NULL AND settled_first < p_until AND settled_last >= p_from ORDER BY partition LIMIT 1;
  IF v_gone IS NOT NULL THEN RAISE EXCEPTION 'usage of these days left with %', v_gone USING ERRCODE = 'KT031'; END IF;

  DELETE FROM usage_rollup WHERE starts_at >= p_from AND starts_at < p_until;
  WITH waiting AS (
    SELECT k.* FROM (SELECT organization_ids, usage_ids, attempts FROM unrated_batch UNION ALL SELECT organization_ids, usage_ids, attempts FROM unrolled_batch) b
    CROSS JOIN LATERAL unnest(b.organization_ids, b.usage_ids, b.attempts) AS k(organization_id, id, attempt)),
  counted AS (
    SELECT u.organization_id, u.id, u.attempt, (row_number() OVER () - 1) / 1000 AS batch FROM usage u
    WHERE u.settled_at >= p_from AND u.settled_at < p_until
      AND NOT EXISTS (SELECT FROM waiting w WHERE w.organization_id = u.organization_id AND w.id = u.id AND w.attempt = u.attempt)),
  queued AS (
    INSERT INTO unrolled_batch (session_id, flush, shard, organization_ids, usage_ids, attempts)
    SELECT gen_random_uuid(), batch, 0, array_agg(organization_id), array_agg(id), array_agg(attempt) FROM counted GROUP BY batch)
  SELECT count(*) INTO v_rows FROM counted;
  LOOP
    SELECT a.batches INTO v_batches FROM rollup_add(20) a;
    EXIT WHEN v_batches = 0;
  END LOOP;
  RETURN v_rows;
END $$;

-- ── Ranges that have left ──────────────────────────────────────────────────────────────────────────────────────
-- A partition of usage that was exported, and what became of it. From `closed_at` on nothing is inserted in its range.
CREATE TABLE usage_archive (
  partition     text PRIMARY KEY,
  first_id      uuid NOT NULL,
  until_id      uuid NOT NULL CHECK (until_id > first_id),
  rows          bigint NOT NULL CHECK (rows >= 0),
  -- Of all its rows in the order of their key, as the database has them and as the file was read back.
  digest        text NOT NULL,
  file          text NOT NULL,
  file_bytes    bigint NOT NULL,
  file_sha256   text NOT NULL,
  settled_first timestamptz,
  settled_last  timestamptz,
  exported_at   timestamptz NOT NULL DEFAULT kt_now(),
  detached_at   timestamptz,
  -- When the detached table, which nobody writes any more, was found to be what the file holds.
  proven_at     timestamptz CHECK (proven_at IS NULL OR detached_at IS NOT NULL),
  dropped_at    timestamptz CHECK (dropped_at IS NULL OR detached_at IS NOT NULL)
);

-- What rows that have left add up to, for whoever proves the books: kind 'rows' by account root, 'charge' and 'rated' by
-- unit, 'cost' by currency, 'grant' and 'lease' (what was allocated from them) by id.
CREATE TABLE usage_archive_total (
  organization_id uuid NOT NULL,
  partition       text NOT NULL REFERENCES usage_archive (partition),
  kind            text NOT NULL CHECK (kind IN ('rows', 'charge', 'rated', 'cost', 'grant', 'lease')),
  key             text NOT NULL,
  amount          numeric(38, 12) NOT NULL,
  PRIMARY KEY (organization_id, partition, kind, key)
);

-- A row of a range that has left would be billed a second time: its first copy is no longer there to meet it. Every other
-- range has a partition of its own, so only rows of usage_default pay for this look. SQLSTATE 23000: the settling
-- gateway and the reaper put the row in quarantine, and go on.
CREATE FUNCTION usage_range_closed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM usage_archive a WHERE a.detached_at IS NOT NULL AND NEW.id >= a.first_id AND NEW.id < a.until_id) THEN
    RAISE EXCEPTION 'usage % belongs to a range that has left the database', NEW.id USING ERRCODE = '23000';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER usage_range_closed BEFORE INSERT ON usage_default FOR EACH ROW EXECUTE FUNCTION usage_range_closed();

-- ── Partitions made ahead ──────────────────────────────────────────────────────────────────────────────────────
-- The moment of a UUID's first 48 bits, and the bounds of each partition of usage but the default one.
CREATE FUNCTION uuid_moment(p_id uuid) RETURNS timestamptz LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  AS $$ SELECT to_timestamp(('x' || left(replace(p_id::text, '-', ''), 12))::bit(48)::bigint / 1000.0) $$;

CREATE FUNCTION usage_partitions() RETURNS TABLE (partition text, first_id uuid, until_id uuid)
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT c.relname::text, (b.bound)[1]::uuid, (b.bound)[2]::uuid
  FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
  CROSS JOIN LATERAL regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''([^'']+)''\) TO \(''([^'']+)''\)') AS b(bound)
  WHERE i.inhparent = 'public.usage'::regclass AND b.bound IS NOT NULL
$$;

-- Makes the first partition that is missing between two moments, of a month or a day of UTC or what is free of one, and
-- answers its name, or null: all are there, or somebody else is at it. Rows of its range that usage_default caught move to it, at
-- most p_move of them (else KT032). Runs as the owner of usage, whose right it takes. Inserts do not wait for it; who reads all
-- partitions waits while it holds usage_default, and it waits for that lock no longer than lock_timeout (55P03: try again).
CREATE FUNCTION usage_partition_make(p_period text, p_from timestamptz, p_until timestamptz, p_move integer, OUT made text, OUT moved bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '500ms' SET TimeZone = 'UTC' AS $$
DECLARE v_at uuid; v_next uuid; v_waiting bigint; v_day timestamptz;
BEGIN
  moved := 0;
  IF p_period NOT IN ('month', 'day') OR p_until > kt_now() + interval '2 years' THEN
    RAISE EXCEPTION 'partitions are made of months or days, for two years at most' USING ERRCODE = 'KT030';
  END IF;
  IF NOT pg_try_advisory_xact_lock(hashtextextended('usage_partitions', 0)) THEN RETURN; END IF;

  v_at := uuid_floor(date_trunc(p_period, p_from));
  LOOP
    SELECT t.until_id INTO v_next FROM (SELECT first_id, until_id FROM usage_partitions()
      UNION ALL SELECT first_id, until_id FROM usage_archive WHERE detached_at IS NOT NULL) t WHERE t.first_id <= v_at AND t.until_id > v_at;
    EXIT WHEN v_next IS NULL;
    v_at := v_next;
  END LOOP;
  IF v_at >= uuid_floor(p_until) THEN RETURN; END IF;
  v_day := uuid_moment(v_at);
  SELECT t.id INTO v_next FROM (
    SELECT uuid_floor(date_trunc(p_period, v_day) + ('1 ' || p_period)::interval) AS id
    UNION ALL SELECT first_id FROM usage_partitions() WHERE first_id > v_at
    UNION ALL SELECT first_id FROM usage_archive WHERE detached_at IS NOT NULL AND first_id > v_at) t ORDER BY t.id LIMIT 1;

  made := 'usage_' || to_char(v_day, CASE WHEN v_day = date_trunc('month', v_day) AND uuid_moment(v_next) = v_day + interval '1 month' THEN 'YYYY_MM' ELSE 'YYYY_MM_DD' END);
  EXECUTE format('CREATE TABLE public.%I (LIKE public.usage INCLUDING ALL)', made);
  EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', made);
  LOCK TABLE ONLY public.usage_default IN ACCESS EXCLUSIVE MODE;
  SELECT count(*) INTO v_waiting FROM (SELECT FROM public.usage_default WHERE id >= v_at AND id < v_next LIMIT p_move + 1) w;
  IF v_waiting > p_move THEN
    RAISE EXCEPTION 'more than % rows of usage_default belong to %', p_move, made USING ERRCODE = 'KT032';
  END IF;
  IF v_waiting > 0 THEN
    EXECUTE format('INSERT INTO public.%I SELECT * FROM public.usage_default WHERE id >= %L AND id < %L', made, v_at, v_next);
    DELETE FROM public.usage_default WHERE id >= v_at AND id < v_next;
    GET DIAGNOSTICS moved = ROW_COUNT;
  END IF;
  EXECUTE format('ALTER TABLE public.usage ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)', made, v_at, v_next);
END $$;

-- How many rows the default partition holds, counted up to p_most: ids of clocks that are far off, or of months nobody made.
CREATE FUNCTION usage_default_rows(p_most integer) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '500ms' AS $$
  SELECT count(*) FROM (SELECT FROM usage_default LIMIT least(p_most, 100000)) d
$$;

-- ── Row-level security and rights ──────────────────────────────────────────────────────────────────────────────
DO $$
DECLARE t text; f record;
BEGIN
  FOREACH t IN ARRAY ARRAY['usage_rollup', 'usage_archive_total'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I FOR SELECT TO kilotoken_app USING (organization_id = current_organization())', t);
    EXECUTE format('CREATE POLICY crossing ON %I TO kilotoken_definer USING (true) WITH CHECK (true)', t);
    EXECUTE format('GRANT SELECT ON %I TO kilotoken_app', t);
  END LOOP;
  GRANT SELECT, INSERT, UPDATE, DELETE ON usage_rollup TO kilotoken_definer;
  GRANT SELECT, UPDATE ON rollup_horizon TO kilotoken_definer;
  GRANT SELECT ON rollup_horizon TO kilotoken_app;
  GRANT SELECT, INSERT, DELETE ON unrolled_batch TO kilotoken_definer;
  GRANT SELECT ON usage_archive TO kilotoken_definer;

  EXECUTE format('GRANT kilotoken_definer TO %I WITH SET TRUE', current_user);
  EXECUTE 'GRANT CREATE ON SCHEMA public TO kilotoken_definer';
  -- Two functions stay the owner's: a partition belongs to whom its table does, and usage_default is read by nobody else.
  FOR f IN SELECT p.oid::regprocedure AS signature, p.proname FROM pg_proc p
           WHERE p.pronamespace = 'public'::regnamespace AND (p.proname LIKE 'rollup\_%' OR p.proname IN ('unrolled_put', 'usage_range_closed',
             'uuid_moment', 'usage_partitions', 'usage_partition_make', 'usage_default_rows')) LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f.signature);
    IF f.proname IN ('rollup_add', 'rollup_lag', 'rollup_prune') THEN EXECUTE format('ALTER FUNCTION %s OWNER TO kilotoken_definer', f.signature); END IF;
    IF f.proname <> 'rollup_rebuild' THEN EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO kilotoken_definer', f.signature); END IF;
    IF f.proname IN ('rollup_add', 'rollup_lag', 'rollup_prune', 'usage_partition_make', 'usage_default_rows') THEN
      EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO kilotoken_app', f.signature);
    END IF;
  END LOOP;
  EXECUTE 'REVOKE CREATE ON SCHEMA public FROM kilotoken_definer';
END $$;
