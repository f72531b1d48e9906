-- The postings of p_transactions in their order, each with its line. Zero amounts are left out. See ledger_post_many for the shape.
CREATE OR REPLACE FUNCTION ledger_lines(p_transactions jsonb)
RETURNS TABLE (organization uuid, kind text, source text, line smallint, account text, unit text, amount numeric)
LANGUAGE sql STABLE
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT t.organization, t.kind, t.source, (row_number() OVER (PARTITION BY t.organization, t.kind, t.source ORDER BY p.line))::smallint, p.account, p.unit, p.amount
  FROM jsonb_to_recordset(p_transactions) AS t(organization uuid, kind text, source text, postings jsonb)
  CROSS JOIN LATERAL ROWS FROM (jsonb_to_recordset(t.postings) AS (account text, unit text, amount numeric(38, 12))) WITH ORDINALITY AS p(account, unit, amount, line)
  WHERE p.amount IS DISTINCT FROM 0
$$;

REVOKE ALL ON FUNCTION ledger_lines FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_lines TO kilotoken_definer;
