-- Adds waiting flushes to the rollups, in three statements of one transaction: it takes flushes from the queue, names their tags, and
-- sums their rows. Each flush is counted once, whenever the caller dies. One caller runs at a time; another one is answered zeros at
-- once. The rows of a minute are summed once, and quarters and days are sums of minutes. A tag without its own sums counts under its
-- key's rest, or under the rest of all keys where its key has none.
--
-- The planner's settings: usage is looked up by key, even by a plan that was made while the table was empty. Rows are many and groups
-- few, so they are hashed, not sorted. Compiling the statement anew each time (jit) would cost more than it saves.
CREATE OR REPLACE FUNCTION rollup_add(p_batches integer) RETURNS TABLE (batches bigint, rows bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_sort = off SET jit = off AS $$
DECLARE v_batches bigint; v_organizations uuid[]; v_ids uuid[]; v_attempts smallint[];
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('usage_rollup', 0)) THEN RETURN QUERY SELECT 0::bigint, 0::bigint; RETURN; END IF;
  WITH taken AS (
    DELETE FROM unrolled_batch b USING (
      -- Flushes may be small or large, so the rows of a call are bounded too.
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
    SELECT u.organization_id, u.project_id, u.api_key_id, u.model, coalesce(u.lane_id, '00000000-0000-0000-0000-000000000000') AS lane_id, m.unit,
      u.cost_currency, CASE WHEN m.is_price THEN u.counts ELSE '{}' END AS counts, m.charge, CASE WHEN m.is_price THEN u.cost ELSE 0 END AS cost, u.tags,
      date_bin('1 minute', u.settled_at, 'epoch') AS minute,
      -- The last attempt has a status: it is the request. It is counted once, in the currency of its price; a pack that pays adds its charge alone.
      (m.is_price AND u.status <> 0)::integer AS request, (m.is_price AND u.status <> 0 AND u.outcome NOT IN ('completed', 'client_closed'))::integer AS error,
      m.is_price::integer AS attempt,
      CASE WHEN m.is_price THEN rollup_ms(u.admitted_at, u.first_token_at) END AS first_ms,
      CASE WHEN m.is_price AND u.outcome = 'completed' THEN rollup_ms(u.admitted_at, u.finished_at) END AS whole_ms
    FROM key k JOIN usage u ON u.organization_id = k.organization_id AND u.id = k.id AND u.attempt = k.attempt
    CROSS JOIN LATERAL (SELECT u.unit, u.charge, true AS is_price
      UNION ALL SELECT p.unit, sum(p.charge), false FROM jsonb_to_recordset(u.portions) AS p(unit text, charge numeric) WHERE p.unit <> u.unit GROUP BY p.unit) m),
  tagged AS (
    SELECT m.*, t.key AS tag_key, t.value AS tag_value, rollup_bucket(m.first_ms) AS f, rollup_bucket(m.whole_ms) AS w
    FROM measured m CROSS JOIN LATERAL (
      SELECT '' AS key, '' AS value
      -- Two tags of a request that both fall under the rest count once there.
      UNION ALL (SELECT DISTINCT
          CASE WHEN own.tag_key IS NOT NULL OR EXISTS (SELECT FROM rollup_tag k WHERE k.organization_id = m.organization_id AND k.day = date_bin('1 day', m.minute, 'epoch') AND k.tag_key = e.key)
            THEN e.key ELSE rollup_rest() END,
          CASE WHEN own.tag_key IS NOT NULL THEN e.value ELSE rollup_rest() END
        FROM rollup_tags_of(m.tags) e LEFT JOIN rollup_tag own
          ON own.organization_id = m.organization_id AND own.day = date_bin('1 day', m.minute, 'epoch') AND own.tag_key = e.key AND own.tag_value = e.value)) t
    -- OFFSET: each bucket is computed once, not for each of its 13 places.
    OFFSET 0),
  by_minute AS MATERIALIZED (
    SELECT organization_id, tag_key, minute, project_id, api_key_id, model, lane_id, unit, cost_currency, tag_value,
      sum(request) AS requests, sum(error) AS errors, sum(attempt) - sum(request) AS failed_attempts,
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

ALTER FUNCTION rollup_add OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION rollup_add FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rollup_add TO kilotoken_metering, kilotoken_app;
