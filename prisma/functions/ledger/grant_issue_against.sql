-- Issues a grant against an account and posts it. Answers its id, or the id of the grant that the source and reference stand for already.
-- p_counter_account null: the source's default, or on a repetition the existing grant's account.
-- Errors: KT011 the reference stands for a grant with another amount, unit or account; KT025 the chart does not allow the account; 23503
-- there is no such organization; those of control_fence.
CREATE OR REPLACE FUNCTION grant_issue_against(p_organization uuid, p_id uuid, p_unit text, p_amount numeric, p_source text, p_reference text,
  p_priority smallint, p_scope_models text[], p_effective_at timestamptz, p_expires_at timestamptz, p_counter_account text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_account text := grant_counter_account_of(p_source, p_counter_account); v_known credit_grant;
BEGIN
  PERFORM control_fence(p_organization);
  IF p_source = 'transfer' THEN RAISE EXCEPTION 'a grant is transferred by grant_transfer' USING ERRCODE = 'KT025'; END IF;
  INSERT INTO credit_grant (organization_id, id, unit, source, promotional, reference, priority, scope_models, granted, available, effective_at,
      expires_at, counter_account)
    VALUES (p_organization, p_id, p_unit, p_source, p_source IN ('promotion', 'free_quota', 'sla_credit'), p_reference, coalesce(p_priority, 100::smallint),
      p_scope_models, p_amount, p_amount, coalesce(p_effective_at, kt_now()), p_expires_at, v_account)
    ON CONFLICT (organization_id, source, reference) DO NOTHING;
  IF NOT FOUND THEN
    SELECT * INTO STRICT v_known FROM credit_grant WHERE organization_id = p_organization AND source = p_source AND reference = p_reference;
    IF v_known.granted <> p_amount OR v_known.unit <> p_unit
      OR (p_counter_account IS NOT NULL AND coalesce(v_known.counter_account, grant_counter_account_of(p_source, NULL)) <> v_account) THEN
      RAISE EXCEPTION 'reference % was used for another grant', p_reference USING ERRCODE = 'KT011';
    END IF;
    RETURN v_known.id;
  END IF;
  PERFORM ledger_post(p_organization, 'grant_issued', p_id::text, ledger_pair(v_account, 'grant_liability', p_unit, p_amount));
  RETURN p_id;
END $$;

ALTER FUNCTION grant_issue_against OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION grant_issue_against FROM PUBLIC;
GRANT EXECUTE ON FUNCTION grant_issue_against TO kilotoken_control, kilotoken_api;
