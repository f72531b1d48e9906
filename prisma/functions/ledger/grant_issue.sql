-- Issues a grant once per (organization, source, reference) and posts it. Answers the grant's id; the first one's if it was issued before.
-- Error KT011: the same reference stands for another amount or unit.
CREATE OR REPLACE FUNCTION grant_issue(p_organization uuid, p_id uuid, p_unit text, p_amount numeric, p_source text, p_reference text,
  p_priority smallint, p_scope_models text[], p_effective_at timestamptz, p_expires_at timestamptz) RETURNS uuid
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  v_promotional boolean := p_source IN ('promotion', 'free_quota', 'sla_credit');
  v_known credit_grant;
BEGIN
  INSERT INTO credit_grant (organization_id, id, unit, source, promotional, reference, priority, scope_models, granted, available,
      effective_at, expires_at)
    VALUES (p_organization, p_id, p_unit, p_source, v_promotional, p_reference, coalesce(p_priority, 100::smallint), p_scope_models,
      p_amount, p_amount, coalesce(p_effective_at, kt_now()), p_expires_at)
    ON CONFLICT (organization_id, source, reference) DO NOTHING;
  IF NOT FOUND THEN
    SELECT * INTO STRICT v_known FROM credit_grant WHERE organization_id = p_organization AND source = p_source AND reference = p_reference;
    IF v_known.granted <> p_amount OR v_known.unit <> p_unit THEN
      RAISE EXCEPTION 'reference % was used for another grant', p_reference USING ERRCODE = 'KT011';
    END IF;
    RETURN v_known.id;
  END IF;
  PERFORM ledger_post(p_organization, 'grant_issued', p_id::text, jsonb_build_array(
    jsonb_build_object('account', CASE WHEN v_promotional THEN 'promotion_expense' ELSE 'cash_clearing' END, 'unit', p_unit, 'amount', p_amount),
    jsonb_build_object('account', 'grant_liability', 'unit', p_unit, 'amount', -p_amount)));
  RETURN p_id;
END $$;

REVOKE ALL ON FUNCTION grant_issue FROM PUBLIC;
GRANT EXECUTE ON FUNCTION grant_issue TO kilotoken_definer;
