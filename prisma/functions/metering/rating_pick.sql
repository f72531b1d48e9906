-- Picks unrated flushes of some shards for a rating and locks them until its transaction ends: at most p_batches, and no more once they
-- hold p_rows usage rows. Other raters skip them. A rollback, or the rater's death, frees them. Postgres notices a killed rater within a
-- second, even while it waits for a lock. A frozen rater loses its claim after five seconds, whether it owes the next statement or does
-- not read an answer. The query reads in the order of the key, whose index forgets taken rows; the table keeps them, and a scan would
-- read a long queue from its beginning each time.
CREATE OR REPLACE FUNCTION rating_pick(p_shards smallint[], p_batches integer, p_rows integer) RETURNS tid[]
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE v_flush record; v_picked tid[] := '{}'; v_rows bigint := 0;
BEGIN
  PERFORM set_config('idle_in_transaction_session_timeout', '5s', true), set_config('tcp_user_timeout', '5s', true),
    set_config('client_connection_check_interval', '1s', true), set_config('work_mem', '64MB', true);
  -- A cursor locks some fifty flushes more than it takes, instead of all p_batches.
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

REVOKE ALL ON FUNCTION rating_pick FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rating_pick TO kilotoken_definer;
