-- Why: what rating costs beside its arithmetic. A claim locked all flushes that it might take, passed again all that were taken before it,
-- wrote what rows of a key have in common with each of them, and listed its flushes though only tracing asks for them. Nor was its plan
-- fixed (see plans_of_queues): the first claims of a connection read all of usage.
-- Locks: nothing that exists but rating_claim, which no release has; it is replaced.

-- Which unrated flushes of some shards a rating takes, locked until its transaction ends: at most p_batches, and no more once they hold
-- p_rows usage rows. Others skip them; if the transaction rolls back, or its rater dies, they are free again. A rater that is killed is
-- noticed within a second even while it waits for a lock; one that freezes loses its claim after five seconds, whether it owes the next
-- statement or does not read the answer to this one. In the order of the key, whose index forgets what was taken; the table does not,
-- and a long queue would be read from its beginning each time.
CREATE FUNCTION rating_pick(p_shards smallint[], p_batches integer, p_rows integer) RETURNS tid[]
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE v_flush record; v_picked tid[] := '{}'; v_rows bigint := 0;
BEGIN
  PERFORM set_config('idle_in_transaction_session_timeout', '5s', true), set_config('tcp_user_timeout', '5s', true),
    set_config('client_connection_check_interval', '1s', true), set_config('work_mem', '64MB', true);
  -- A cursor: it locks some fifty flushes more than are taken, not all that p_batches allows.
  FOR v_flush IN
    SELECT b.ctid, cardinality(b.usage_ids) AS rows FROM unrated_batch b WHERE b.shard = ANY (p_shards)
    ORDER BY b.session_id, b.flush, b.shard LIMIT p_batches FOR UPDATE SKIP LOCKED
  LOOP
    v_picked := v_picked || v_flush.ctid;
    v_rows := v_rows + v_flush.rows;
    EXIT WHEN v_rows >= p_rows;
  END LOOP;
  RETURN v_picked;
END $$;

-- Takes flushes out of the queue for a rating, whose they are from now on: the primary key of rated_flush refuses a second one. Answers
-- their usage rows in groups of what rows have in common: how many flushes were taken (the same with each group), when the first and the
-- last row of the group settled (milliseconds since 1970), and the rows as one text, which costs a third of what a row each costs: eight
-- fields a row (id, attempt, moment settled, hold, rated, charge, cost, counts) with tabs between all of them. None of these can hold a tab.
DROP FUNCTION rating_claim(uuid, smallint[], integer, integer);
CREATE FUNCTION rating_claim(p_rating uuid, p_shards smallint[], p_batches integer, p_rows integer)
RETURNS TABLE (flushes integer, organization_id uuid, account_root_id uuid, api_key_id uuid, price_version_id uuid, unit text, cost_currency text,
  first_ms double precision, last_ms double precision, lines text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_memoize = off SET enable_sort = off AS $$
#variable_conflict use_column
DECLARE v_picked tid[]; v_claimed unrated_batch[];
BEGIN
  v_picked := rating_pick(p_shards, p_batches, p_rows);
  WITH claimed AS (DELETE FROM unrated_batch b WHERE b.ctid = ANY (v_picked) RETURNING b)
    SELECT array_agg(c.b) INTO v_claimed FROM claimed c;
  INSERT INTO rated_flush (session_id, flush, shard, rating_id) SELECT c.session_id, c.flush, c.shard, p_rating FROM unnest(v_claimed) c;
  -- A statement of its own: a claim takes what committed until it began, so the rows of it are read by a snapshot that is taken after it.
  -- Keys are unnested in the select list, which stores them nowhere in between, as a function in FROM does for each flush.
  RETURN QUERY
    SELECT cardinality(v_claimed), u.organization_id, u.account_root_id, u.api_key_id, u.price_version_id, u.unit, u.cost_currency,
      floor(date_part('epoch', min(u.settled_at)) * 1000), floor(date_part('epoch', max(u.settled_at)) * 1000),
      string_agg(concat_ws(E'\t', u.id, u.attempt, floor(date_part('epoch', u.settled_at) * 1000)::bigint, u.hold, u.rated, u.charge, u.cost, u.counts), E'\t')
    FROM (SELECT unnest(c.organization_ids) AS organization_id, unnest(c.usage_ids) AS id, unnest(c.attempts) AS attempt FROM unnest(v_claimed) c) k
    JOIN usage u ON u.organization_id = k.organization_id AND u.id = k.id AND u.attempt = k.attempt
    GROUP BY u.organization_id, u.account_root_id, u.api_key_id, u.price_version_id, u.unit, u.cost_currency;
END $$;

-- The flushes of a rating, for whoever traces it.
CREATE FUNCTION rating_flushes(p_rating uuid) RETURNS TABLE (session_id uuid, flush bigint, shard smallint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT f.session_id, f.flush, f.shard FROM rated_flush f WHERE f.rating_id = p_rating
$$;

DO $$
DECLARE f record;
BEGIN
  EXECUTE 'GRANT CREATE ON SCHEMA public TO kilotoken_definer';
  FOR f IN SELECT p.oid::regprocedure AS signature, p.prosecdef FROM pg_proc p
    WHERE p.pronamespace = 'public'::regnamespace AND p.proname = ANY (ARRAY['rating_pick', 'rating_claim', 'rating_flushes']) LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f.signature);
    IF f.prosecdef THEN
      EXECUTE format('ALTER FUNCTION %s OWNER TO kilotoken_definer', f.signature);
      EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO kilotoken_app', f.signature);
    END IF;
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO kilotoken_definer', f.signature);
  END LOOP;
  EXECUTE 'REVOKE CREATE ON SCHEMA public FROM kilotoken_definer';
END $$;
