-- Adds to a grant, or takes from its available amount, by hand, against an account (null: manual_adjustment). Answers false for a reference
-- that was used for this adjustment before; nothing changes then.
-- Errors: KT011 the reference stands for another adjustment; KT021 no such grant; KT022 less than that is available; KT023 the grant has
-- expired or is being refunded; KT025 the chart does not allow the account; those of control_fence.
CREATE OR REPLACE FUNCTION grant_adjust_against(p_organization uuid, p_grant uuid, p_amount numeric, p_reference text, p_reason text, p_counter_account text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE g credit_grant; a grant_adjustment; v_account text := coalesce(p_counter_account, 'manual_adjustment');
BEGIN
  PERFORM control_fence(p_organization);
  SELECT * INTO g FROM credit_grant WHERE organization_id = p_organization AND id = p_grant FOR UPDATE;
  IF NOT FOUND THEN RAISE EXCEPTION 'there is no grant %', p_grant USING ERRCODE = 'KT021'; END IF;
  SELECT * INTO a FROM grant_adjustment WHERE organization_id = p_organization AND cause = 'by_hand' AND reference = p_reference LIMIT 1;
  IF FOUND THEN
    IF a.grant_id <> p_grant OR a.amount <> p_amount
      OR (p_counter_account IS NOT NULL AND coalesce(a.counter_account, 'manual_adjustment') <> p_counter_account) THEN
      RAISE EXCEPTION 'reference % was used for another adjustment', p_reference USING ERRCODE = 'KT011';
    END IF;
    RETURN false;
  END IF;
  IF g.closing_at IS NOT NULL OR g.expires_at <= kt_now() THEN RAISE EXCEPTION 'grant % is closed', p_grant USING ERRCODE = 'KT023'; END IF;
  UPDATE credit_grant SET adjusted = adjusted + p_amount, available = available + p_amount
    WHERE organization_id = p_organization AND id = p_grant AND available + p_amount >= 0;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'grant % has % available and % leased', p_grant, trim_scale(g.available), trim_scale(g.leased) USING ERRCODE = 'KT022';
  END IF;
  INSERT INTO grant_adjustment (organization_id, id, grant_id, cause, reference, amount, reason, counter_account)
    VALUES (p_organization, uuidv7(), p_grant, 'by_hand', p_reference, p_amount, p_reason, v_account);
  -- The posting exists: a concurrent transaction has just used the reference for another grant.
  IF NOT ledger_post(p_organization, 'grant_adjusted', p_reference, ledger_pair(v_account, 'grant_liability', g.unit, p_amount)) THEN
    RAISE EXCEPTION 'reference % was used for another adjustment', p_reference USING ERRCODE = 'KT011';
  END IF;
  RETURN true;
END $$;

ALTER FUNCTION grant_adjust_against OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION grant_adjust_against FROM PUBLIC;
GRANT EXECUTE ON FUNCTION grant_adjust_against TO kilotoken_control, kilotoken_api;
