-- Posts one transaction; p_postings: [{account, unit, amount}]. Zero amounts are left out. Posting the same (kind, source) again changes
-- nothing and answers false: with the chain's head locked, every other transaction that posts to this organization has committed.
CREATE OR REPLACE FUNCTION ledger_post(p_organization uuid, p_kind text, p_source text, p_postings jsonb) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_id uuid := uuidv7(); v_now timestamptz := kt_now(); v_head ledger_chain; v_hash bytea; v_postings text;
BEGIN
  IF EXISTS (SELECT FROM jsonb_to_recordset(p_postings) AS p(unit text, amount numeric) GROUP BY unit HAVING sum(amount) <> 0) THEN
    RAISE EXCEPTION 'a ledger transaction must sum to zero in each unit: %', p_postings USING ERRCODE = 'KT010';
  END IF;
  INSERT INTO ledger_chain (organization_id, position, hash) VALUES (p_organization, 0, ledger_genesis()) ON CONFLICT DO NOTHING;
  SELECT * INTO STRICT v_head FROM ledger_chain WHERE organization_id = p_organization FOR UPDATE;
  IF EXISTS (SELECT FROM ledger_transaction WHERE organization_id = p_organization AND kind = p_kind AND source_id = p_source) THEN RETURN false; END IF;

  SELECT string_agg(ledger_line(p.line::smallint, p.account, p.unit, p.amount), E'\n' ORDER BY p.line) INTO v_postings FROM (
    SELECT row_number() OVER () AS line, account, unit, amount
    FROM jsonb_to_recordset(p_postings) AS given(account text, unit text, amount numeric) WHERE amount <> 0) p;
  IF v_postings IS NULL THEN
    RAISE EXCEPTION 'a ledger transaction has postings: %', p_postings USING ERRCODE = 'KT010';
  END IF;
  v_hash := ledger_hash(p_organization, v_head.position + 1, v_id, p_kind, p_source, v_now, v_postings, v_head.hash);
  INSERT INTO ledger_transaction (organization_id, id, kind, source_id, posted_at, position, previous_hash, hash)
    VALUES (p_organization, v_id, p_kind, p_source, v_now, v_head.position + 1, v_head.hash, v_hash);
  INSERT INTO ledger_posting (organization_id, transaction_id, line, account, unit, amount)
    SELECT p_organization, v_id, row_number() OVER (), p.account, p.unit, p.amount
    FROM jsonb_to_recordset(p_postings) AS p(account text, unit text, amount numeric) WHERE p.amount <> 0;
  UPDATE ledger_chain SET position = v_head.position + 1, hash = v_hash WHERE organization_id = p_organization;
  RETURN true;
END $$;

REVOKE ALL ON FUNCTION ledger_post FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_post TO kilotoken_definer;
