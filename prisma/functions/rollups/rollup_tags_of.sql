-- The counted tags of a request: the first 8 by their key's bytes, values by their first 128 characters. This bounds the cost of a
-- request here.
CREATE OR REPLACE FUNCTION rollup_tags_of(p_tags jsonb) RETURNS TABLE (key text, value text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT e.key, left(coalesce(e.value, ''), 128) FROM jsonb_each_text(CASE WHEN jsonb_typeof(p_tags) = 'object' THEN p_tags END) e
    WHERE e.key <> '' ORDER BY e.key COLLATE "C" LIMIT 8
$$;

REVOKE ALL ON FUNCTION rollup_tags_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rollup_tags_of TO kilotoken_definer;
