-- Posts the claimed flushes, in the transaction of their claim. p_flushes: [{session, flush, shard}] that left the queue without
-- rating_claim_rows; p_roots: [{root, rows}]; p_totals: [{organization, unit, charge, rated, cost, cost_currency}], one per organization, unit and cost
-- currency; p_keys: [{organization, key, used}]. The primary keys of rated_flush and rated_batch refuse a second posting. The heads of
-- chains are locked last, by organization, and moved on once an organization.
CREATE OR REPLACE FUNCTION rating_post(p_rating uuid, p_flushes json, p_roots json, p_totals json, p_keys json) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_transactions jsonb;
BEGIN
  INSERT INTO rated_flush (session_id, flush, shard, rating_id)
    SELECT f.session, f.flush, f.shard, p_rating FROM json_to_recordset(p_flushes) AS f(session uuid, flush bigint, shard smallint);
  WITH root AS (SELECT * FROM json_to_recordset(p_roots) AS r(root uuid, rows integer)),
  position AS (
    INSERT INTO rating_position AS p (account_root_id, rating_seq) SELECT root, 1 FROM root ORDER BY root
      ON CONFLICT (account_root_id) DO UPDATE SET rating_seq = p.rating_seq + 1 RETURNING account_root_id, rating_seq)
  INSERT INTO rated_batch (account_root_id, rating_seq, rating_id, rows)
    SELECT p.account_root_id, p.rating_seq, p_rating, r.rows FROM position p JOIN root r ON r.root = p.account_root_id;

  INSERT INTO api_key_use AS u (organization_id, api_key_id, last_used_at)
    SELECT k.organization, k.key, to_timestamp(k.used / 1000) FROM json_to_recordset(p_keys) AS k(organization uuid, key uuid, used double precision)
    WHERE EXISTS (SELECT FROM api_key a WHERE a.organization_id = k.organization AND a.id = k.key) ORDER BY 1, 2
    ON CONFLICT (organization_id, api_key_id) DO UPDATE SET last_used_at = greatest(u.last_used_at, excluded.last_used_at);

  -- One transaction an organization: use releases the liability of its grants; the part above holds is our loss; lanes are owed their cost.
  WITH total AS (SELECT * FROM json_to_recordset(p_totals) AS t(organization uuid, unit text, charge numeric, rated numeric, cost numeric, cost_currency text)),
  posting AS (
    SELECT organization, 'grant_liability' AS account, unit, sum(charge) AS amount FROM total GROUP BY organization, unit
    UNION ALL SELECT organization, 'uncollected', unit, sum(rated - charge) FROM total GROUP BY organization, unit
    UNION ALL SELECT organization, 'usage_revenue', unit, -sum(rated) FROM total GROUP BY organization, unit
    UNION ALL SELECT organization, 'vendor_cost', cost_currency, sum(cost) FROM total GROUP BY organization, cost_currency
    UNION ALL SELECT organization, 'vendor_payable', cost_currency, -sum(cost) FROM total GROUP BY organization, cost_currency),
  entry AS (
    SELECT jsonb_build_object('organization', organization, 'kind', 'usage_rated', 'source', p_rating,
      'postings', jsonb_agg(jsonb_build_object('account', account, 'unit', unit, 'amount', amount) ORDER BY unit, account)) AS transaction
    FROM posting WHERE amount <> 0 GROUP BY organization)
  SELECT coalesce(jsonb_agg(transaction), '[]') INTO v_transactions FROM entry;
  IF ledger_post_many(v_transactions) <> jsonb_array_length(v_transactions) THEN
    RAISE EXCEPTION 'rating % was posted before', p_rating USING ERRCODE = 'unique_violation';
  END IF;
END $$;

ALTER FUNCTION rating_post OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION rating_post FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rating_post TO kilotoken_metering, kilotoken_app;
