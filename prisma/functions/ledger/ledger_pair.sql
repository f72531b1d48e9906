-- The two postings that debit one account and credit another with the same amount.
CREATE OR REPLACE FUNCTION ledger_pair(p_debit text, p_credit text, p_unit text, p_amount numeric) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT jsonb_build_array(
    jsonb_build_object('account', p_debit, 'unit', p_unit, 'amount', p_amount),
    jsonb_build_object('account', p_credit, 'unit', p_unit, 'amount', -p_amount))
$$;

REVOKE ALL ON FUNCTION ledger_pair FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_pair TO kilotoken_definer;
