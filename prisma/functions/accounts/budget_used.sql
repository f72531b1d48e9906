-- The use of a budget's measure from a moment on, by the rollups, which lag at most some seconds. It sums whole days of UTC, and quarters
-- of an hour before the first of them. Null for an end user, who has no rollups.
CREATE OR REPLACE FUNCTION budget_used(l usage_limit, p_from timestamptz) RETURNS numeric
LANGUAGE sql STABLE
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT coalesce(sum(CASE l.measure WHEN 'money' THEN CASE WHEN r.unit = l.unit THEN r.charge ELSE 0 END
      ELSE CASE WHEN l.measure IN ('input_tokens', 'tokens')
          THEN r.input_tokens + r.cached_read_tokens + r.cache_write_5m_tokens + r.cache_write_1h_tokens + r.audio_in_tokens + r.image_in_tokens ELSE 0 END
        + CASE WHEN l.measure IN ('output_tokens', 'tokens') THEN r.output_tokens + r.reasoning_tokens + r.audio_out_tokens + r.image_out_tokens ELSE 0 END END), 0)
  FROM usage_rollup r CROSS JOIN (SELECT date_bin('1 day', p_from + interval '1 day' - interval '1 microsecond', 'epoch') AS first_day) d
  WHERE r.organization_id = l.organization_id AND r.tag_key = '' AND l.subject_kind <> 'end_user'
    AND (r.grain_minutes = 1440 AND r.starts_at >= d.first_day OR r.grain_minutes = 15 AND r.starts_at >= p_from AND r.starts_at < d.first_day)
    AND (l.subject_kind = 'organization' OR l.subject_kind = 'project' AND r.project_id = l.subject_id
      OR l.subject_kind = 'key' AND EXISTS (SELECT FROM api_key k WHERE k.organization_id = r.organization_id AND k.id = r.api_key_id AND coalesce(k.lineage_id, k.id) = l.subject_id))
$$;

REVOKE ALL ON FUNCTION budget_used FROM PUBLIC;
GRANT EXECUTE ON FUNCTION budget_used TO kilotoken_definer;
