-- Why: what a request costs Postgres. Seen with a thousand organizations under load: plans that were made while a table was empty
-- read all of it for each lease, or all leases of a session for each that went back; the clock was read for each grant; rollups
-- read each row's tokens three times over.
-- Locks: functions' rows in the catalogue; executions under way end as they began.

-- These look rows up by keys that they were given, a few at a time, and must do so whatever is known of the tables (see
-- plans_of_queues).
DO $$
DECLARE f regprocedure;
BEGIN
  FOREACH f IN ARRAY ARRAY['lease_take(uuid, uuid, uuid, text, text, numeric, numeric, numeric, uuid)', 'lease_return(uuid, json)', 'settle(uuid, bigint, json)',
    'checkpoint_requests(uuid, json)']::regprocedure[] LOOP
    EXECUTE format('ALTER FUNCTION %s SET enable_seqscan = off', f);
    EXECUTE format('ALTER FUNCTION %s SET enable_hashjoin = off', f);
    EXECUTE format('ALTER FUNCTION %s SET enable_mergejoin = off', f);
  END LOOP;
END $$;

-- As before; the clock is read once, not for each lease and grant.
CREATE OR REPLACE FUNCTION lease_shrink(p_session uuid, p_rows json) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_now timestamptz := kt_now(); v_changed integer := 0; e record;
BEGIN
  PERFORM FROM credit_grant c WHERE (c.organization_id, c.id) IN (
      SELECT l.organization_id, l.grant_id FROM lease l
      JOIN json_to_recordset(p_rows) AS r(organization uuid, lease uuid) ON l.organization_id = r.organization AND l.id = r.lease)
    ORDER BY c.organization_id, c.id FOR UPDATE;
  PERFORM FROM lease l WHERE (l.organization_id, l.id) IN (SELECT r.organization, r.lease FROM json_to_recordset(p_rows) AS r(organization uuid, lease uuid))
    ORDER BY l.organization_id, l.id FOR UPDATE;
  FOR e IN
    WITH due AS (
      SELECT r.organization, r.lease, min(r.keep) AS keep, bool_or(r.close) AS close
      FROM json_to_recordset(p_rows) AS r(organization uuid, lease uuid, keep numeric, close boolean) GROUP BY 1, 2),
    before AS (
      SELECT l.organization_id, l.id, l.grant_id, l.slice, r.keep, r.close
      -- OFFSET: each lease by its key. By its session, which was seen, all that are open were read for each.
      FROM due r CROSS JOIN LATERAL (SELECT * FROM lease WHERE organization_id = r.organization AND id = r.lease OFFSET 0) l
      WHERE l.session_id = p_session AND l.closed_at IS NULL),
    shrunk AS (
      UPDATE lease l SET slice = least(l.slice, b.keep), recalled_at = NULL,
        settled = CASE WHEN b.close THEN b.keep END, closed_at = CASE WHEN b.close THEN v_now END
      FROM before b WHERE l.organization_id = b.organization_id AND l.id = b.id),
    per_grant AS (
      SELECT organization_id, grant_id, sum(slice - least(slice, keep)) AS returned, coalesce(sum(keep) FILTER (WHERE close), 0) AS settled,
        count(*)::integer AS leases FROM before GROUP BY 1, 2),
    changed AS (
      UPDATE credit_grant c SET leased = c.leased - p.returned - p.settled, settled = c.settled + p.settled,
        available = c.available + CASE WHEN c.expires_at <= v_now THEN 0 ELSE p.returned END,
        expired = c.expired + CASE WHEN c.expires_at <= v_now THEN p.returned ELSE 0 END
      FROM per_grant p WHERE c.organization_id = p.organization_id AND c.id = p.grant_id
      RETURNING c.organization_id, c.id, c.unit, c.expired, p.returned, p.leases, coalesce(c.expires_at <= v_now, false) AS is_over)
    SELECT * FROM changed ORDER BY organization_id, id
  LOOP
    v_changed := v_changed + e.leases;
    IF e.is_over AND e.returned > 0 THEN
      PERFORM ledger_post(e.organization_id, 'grant_expired', e.id::text || ':' || e.expired::text, jsonb_build_array(
        jsonb_build_object('account', 'grant_liability', 'unit', e.unit, 'amount', e.returned),
        jsonb_build_object('account', 'breakage_revenue', 'unit', e.unit, 'amount', -e.returned)));
    END IF;
  END LOOP;
  RETURN v_changed;
END $$;

-- As before, and likewise.
CREATE OR REPLACE FUNCTION grants_expire(p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_now timestamptz := kt_now(); g credit_grant; n integer := 0;
BEGIN
  FOR g IN SELECT * FROM credit_grant WHERE expires_at <= v_now AND available > 0 AND closing_at IS NULL
           ORDER BY organization_id, id LIMIT p_limit FOR UPDATE SKIP LOCKED LOOP
    UPDATE credit_grant SET available = 0, expired = expired + g.available WHERE organization_id = g.organization_id AND id = g.id;
    PERFORM ledger_post(g.organization_id, 'grant_expired', g.id::text || ':' || (g.expired + g.available)::text, jsonb_build_array(
      jsonb_build_object('account', 'grant_liability', 'unit', g.unit, 'amount', g.available),
      jsonb_build_object('account', 'breakage_revenue', 'unit', g.unit, 'amount', -g.available)));
    n := n + 1;
  END LOOP;
  RETURN n;
END $$;

-- As before, in two steps: the rows of a minute are added up once, and quarters and days are sums of minutes. What a row costs
-- (its tokens read from JSON, 26 places of two histograms) was paid for each of the three. Rows are many and groups few, whatever
-- the plan believes: they are hashed, not sorted, and compiling the statement anew each time (jit) would cost more than it saves.
CREATE OR REPLACE FUNCTION rollup_add(p_batches integer) RETURNS TABLE (batches bigint, rows bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_sort = off SET jit = off AS $$
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
      -- The last attempt has a status: it is the request.
      (u.status <> 0)::integer AS request, (u.status <> 0 AND u.outcome NOT IN ('completed', 'client_closed'))::integer AS error,
      rollup_ms(u.admitted_at, u.first_token_at) AS first_ms, CASE WHEN u.outcome = 'completed' THEN rollup_ms(u.admitted_at, u.finished_at) END AS whole_ms
    FROM key k JOIN usage u ON u.organization_id = k.organization_id AND u.id = k.id AND u.attempt = k.attempt),
  tagged AS (
    SELECT m.*, t.key AS tag_key, t.value AS tag_value, rollup_bucket(m.first_ms) AS f, rollup_bucket(m.whole_ms) AS w
    FROM measured m CROSS JOIN LATERAL (
      SELECT '' AS key, '' AS value
      UNION ALL (SELECT e.key, left(coalesce(e.value, ''), 128) FROM jsonb_each_text(CASE WHEN jsonb_typeof(m.tags) = 'object' THEN m.tags END) e
        WHERE e.key <> '' ORDER BY e.key COLLATE "C" LIMIT 8)) t
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
  SELECT (SELECT count(*) FROM taken), (SELECT count(*) FROM key);
END $$;
