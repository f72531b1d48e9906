-- Claims flushes for a rating: the primary key of rated_flush refuses a second rating of a flush. Answers one row for each organization,
-- key, price and unit, with its usage rows as one text (fields with tabs between them), which costs a third of a row each. The planner's
-- settings: usage is looked up by key, even by a plan that was made while the table was empty.
CREATE OR REPLACE FUNCTION rating_claim_rows(p_rating uuid, p_shards smallint[], p_batches integer, p_rows integer)
RETURNS TABLE (flushes integer, organization_id uuid, account_root_id uuid, api_key_id uuid, price_version_id uuid, unit text, cost_currency text,
  first_ms double precision, last_ms double precision, lines text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_memoize = off SET enable_sort = off AS $$
#variable_conflict use_column
DECLARE v_picked tid[]; v_claimed unrated_batch[];
BEGIN
  v_picked := rating_pick(p_shards, p_batches, p_rows);
  WITH claimed AS (DELETE FROM unrated_batch b WHERE b.ctid = ANY (v_picked) RETURNING b)
    SELECT array_agg(c.b) INTO v_claimed FROM claimed c;
  INSERT INTO rated_flush (session_id, flush, shard, rating_id) SELECT c.session_id, c.flush, c.shard, p_rating FROM unnest(v_claimed) c;
  -- A statement of its own: the claim sees flushes that committed until it began, and this later snapshot sees the rows of all of them.
  -- The select list unnests the keys without storing them; a function in FROM would store them for each flush.
  RETURN QUERY
    SELECT cardinality(v_claimed), u.organization_id, u.account_root_id, u.api_key_id, u.price_version_id, u.unit, u.cost_currency,
      floor(date_part('epoch', min(u.settled_at)) * 1000), floor(date_part('epoch', max(u.settled_at)) * 1000),
      string_agg(concat_ws(E'\t', u.id, u.attempt, floor(date_part('epoch', u.settled_at) * 1000)::bigint, u.hold, u.rated, u.charge, u.cost, u.counts, coalesce(u.portions::text, '')), E'\t')
    FROM (SELECT unnest(c.organization_ids) AS organization_id, unnest(c.usage_ids) AS id, unnest(c.attempts) AS attempt FROM unnest(v_claimed) c) k
    JOIN usage u ON u.organization_id = k.organization_id AND u.id = k.id AND u.attempt = k.attempt
    GROUP BY u.organization_id, u.account_root_id, u.api_key_id, u.price_version_id, u.unit, u.cost_currency;
END $$;

ALTER FUNCTION rating_claim_rows OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION rating_claim_rows FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rating_claim_rows TO kilotoken_metering, kilotoken_app;
