-- Gives tags of these usage rows their own sums while there is room, in the order of their bytes. The caller holds the lock of
-- rollup_add. The planner's settings: usage is looked up by key, even by a plan that was made while the table was empty.
CREATE OR REPLACE FUNCTION rollup_tags_name(p_organizations uuid[], p_ids uuid[], p_attempts smallint[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
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

REVOKE ALL ON FUNCTION rollup_tags_name FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rollup_tags_name TO kilotoken_definer;
