-- Which unrated flushes of some shards a rating takes, locked until its transaction ends: at most p_batches, and no more once they hold
-- p_rows usage rows. Other raters skip them; if the transaction rolls back, or its rater dies, they are free again. A rater that is killed
-- is noticed within a second even while it waits for a lock. One that freezes loses its claim after five seconds, whether it owes the next
-- statement or does not read the answer to this one. Reads in the order of the key, whose index forgets taken rows; the table does not, and
-- a long queue would be read from its beginning each time.
CREATE OR REPLACE FUNCTION rating_pick(p_shards smallint[], p_batches integer, p_rows integer) RETURNS tid[]
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
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

REVOKE ALL ON FUNCTION rating_pick FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rating_pick TO kilotoken_definer;
