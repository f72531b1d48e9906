-- Posts transactions, at most one an organization, and links each to its organization's chain. No other function inserts postings or
-- moves a chain on. p_transactions: [{organization, kind, source, postings: [{account, unit, amount}]}]. A transaction that was posted
-- before (organization, kind, source) changes nothing. Answers the number of transactions that it posted.
-- Locks: the heads of the chains by organization, the last locks of a transaction. With a head locked, every other transaction that
-- posts to the organization has committed.
-- Errors: KT010 a transaction has no postings or does not sum to zero in a unit, or two are of one organization; KT025 the chart of
-- accounts does not allow a posting.
CREATE OR REPLACE FUNCTION ledger_post_many(p_transactions jsonb) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp
-- Every join is a lookup by key, since the planner does not know the number of postings in p_transactions.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE v_now timestamptz := kt_now(); v_organizations uuid[]; v_unbalanced text; v_refused text; v_entries integer; v_posted integer;
BEGIN
  SELECT array_agg(DISTINCT t.organization) INTO v_organizations FROM jsonb_to_recordset(p_transactions) AS t(organization uuid);
  PERFORM ledger_lock(v_organizations, '{}');
  WITH line AS MATERIALIZED (
    SELECT t.organization, t.kind, t.source, (row_number() OVER (PARTITION BY t.organization, t.kind, t.source ORDER BY p.line))::smallint AS line,
      p.account, p.unit, p.amount,
      (SELECT r.side = 'both' OR (r.side = 'debit') = (p.amount > 0) FROM ledger_rule r WHERE r.kind = t.kind AND r.account = p.account) AS is_allowed
    FROM jsonb_to_recordset(p_transactions) AS t(organization uuid, kind text, source text, postings jsonb)
    CROSS JOIN LATERAL ROWS FROM (jsonb_to_recordset(t.postings) AS (account text, unit text, amount numeric(38, 12))) WITH ORDINALITY AS p(account, unit, amount, line)
    WHERE p.amount IS DISTINCT FROM 0),
  fault AS MATERIALIZED (
    SELECT min(concat_ws(' ', u.kind, u.source, 'of organization', u.organization)) FILTER (WHERE u.is_unbalanced) AS unbalanced, min(u.refused) AS refused FROM (
      SELECT kind, source, organization, bool_or(amount IS NULL) OR sum(amount) <> 0 AS is_unbalanced,
        min(concat_ws(' ', kind, source, CASE WHEN amount > 0 THEN 'debits' ELSE 'credits' END, account, unit)) FILTER (WHERE is_allowed IS NOT TRUE) AS refused
      FROM line GROUP BY organization, kind, source, unit) u),
  entry AS MATERIALIZED (
    SELECT organization, kind, source, uuidv7() AS id, string_agg(ledger_line(line, account, unit, amount), E'\n' ORDER BY line) AS postings,
      array_agg(line ORDER BY line) AS lines, array_agg(account ORDER BY line) AS accounts, array_agg(unit ORDER BY line) AS units, array_agg(amount ORDER BY line) AS amounts
    FROM line GROUP BY organization, kind, source),
  linked AS (
    UPDATE ledger_chain c SET position = c.position + 1,
      hash = ledger_hash(c.organization_id, c.position + 1, e.id, e.kind, e.source, v_now, e.postings, c.hash)
    FROM entry e WHERE c.organization_id = e.organization AND (SELECT f.unbalanced IS NULL AND f.refused IS NULL FROM fault f)
      AND (SELECT t.id FROM ledger_transaction t WHERE t.organization_id = e.organization AND t.kind = e.kind AND t.source_id = e.source) IS NULL
    RETURNING e.*, new.position, old.hash AS previous_hash, new.hash),
  stored AS (
    INSERT INTO ledger_transaction (organization_id, id, kind, source_id, posted_at, position, previous_hash, hash)
    SELECT organization, id, kind, source, v_now, position, previous_hash, hash FROM linked),
  posted AS (
    INSERT INTO ledger_posting (organization_id, transaction_id, line, account, unit, amount)
    SELECT l.organization, l.id, p.* FROM linked l CROSS JOIN LATERAL unnest(l.lines, l.accounts, l.units, l.amounts) p)
  SELECT (SELECT count(*) FROM entry), (SELECT count(*) FROM linked), f.unbalanced, f.refused INTO v_entries, v_posted, v_unbalanced, v_refused FROM fault f;
  IF v_unbalanced IS NOT NULL THEN
    RAISE EXCEPTION 'a ledger transaction sums to zero in each unit: %', v_unbalanced USING ERRCODE = 'KT010';
  END IF;
  IF v_refused IS NOT NULL THEN
    RAISE EXCEPTION 'the chart of accounts does not allow this posting: %', v_refused USING ERRCODE = 'KT025';
  END IF;
  IF v_entries <> jsonb_array_length(p_transactions) OR coalesce(cardinality(v_organizations), 0) <> v_entries THEN
    RAISE EXCEPTION 'a ledger transaction has postings, and an organization has one in a call: %', left(p_transactions::text, 1000) USING ERRCODE = 'KT010';
  END IF;
  RETURN v_posted;
END $$;

REVOKE ALL ON FUNCTION ledger_post_many FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_post_many TO kilotoken_definer;
