-- Posts one transaction; p_postings: [{account, unit, amount}]. Posting the same (kind, source) again changes nothing and answers false.
-- Locks and errors: see ledger_post_many.
CREATE OR REPLACE FUNCTION ledger_post(p_organization uuid, p_kind text, p_source text, p_postings jsonb) RETURNS boolean
LANGUAGE sql
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT ledger_post_many(jsonb_build_array(jsonb_build_object('organization', p_organization, 'kind', p_kind, 'source', p_source, 'postings', p_postings))) = 1
$$;

REVOKE ALL ON FUNCTION ledger_post FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_post TO kilotoken_definer;
