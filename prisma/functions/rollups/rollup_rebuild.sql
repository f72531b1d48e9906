-- Rebuilds whole days of UTC from usage, in the caller's transaction: others see the old rows until it commits. Waiting usage is left to
-- the rater and the follower, so usage may arrive meanwhile. It crosses organizations, for an operator of the control plane, and is
-- recorded once with its actor. Refuses days of which usage has left the database (KT031). Answers the number of counted usage rows.
-- Errors: KT030 no whole days; those of control_fence.
CREATE OR REPLACE FUNCTION rollup_rebuild(p_from timestamptz, p_until timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_rows bigint; v_gone text; v_batches bigint; v_actor jsonb := control_actor();
BEGIN
  PERFORM control_fence(NULL);
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
  INSERT INTO control_change (actor_kind, actor_id, actor_name, table_name, row_key, change)
    VALUES (v_actor ->> 'kind', v_actor ->> 'id', CASE v_actor ->> 'kind' WHEN 'kt' THEN v_actor ->> 'name' END, 'usage_rollup', jsonb_build_object('from', iso_moment(p_from), 'until', iso_moment(p_until)), 'update');
  RETURN v_rows;
END $$;

ALTER FUNCTION rollup_rebuild OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION rollup_rebuild FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rollup_rebuild TO kilotoken_control;
