-- Refunds an amount of a grant, or all that remains (p_amount null), against an account (null: the grant's own). A refund of all closes the
-- grant: nothing more is leased from it. Once per reference; asked again it advances the refund and answers its state.
-- A part takes the available amount at once and the rest as leases return; it may end with less where requests use the grant meanwhile.
-- Errors: KT011 the reference, or a refund of all, is another one; KT021 no such grant; KT022 less than that remains; KT023 the grant has
-- expired, or a refund closes it; KT025 the chart does not allow the account; those of control_fence.
CREATE OR REPLACE FUNCTION grant_refund_against(p_organization uuid, p_grant uuid, p_amount numeric, p_reference text, p_reason text, p_counter_account text)
RETURNS grant_refund
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE g credit_grant; r grant_refund; v_due numeric; v_account text;
BEGIN
  PERFORM control_fence(p_organization);
  SELECT * INTO g FROM credit_grant WHERE organization_id = p_organization AND id = p_grant FOR UPDATE;
  IF NOT FOUND THEN RAISE EXCEPTION 'there is no grant %', p_grant USING ERRCODE = 'KT021'; END IF;
  v_account := grant_counter_account_of(g.source, coalesce(p_counter_account, g.counter_account));
  SELECT * INTO r FROM grant_refund WHERE organization_id = p_organization AND reference = p_reference;
  IF NOT FOUND THEN
    IF EXISTS (SELECT FROM grant_refund WHERE organization_id = p_organization AND grant_id = p_grant AND asked IS NULL) THEN
      RAISE EXCEPTION 'grant % is refunded under another reference', p_grant USING ERRCODE = CASE WHEN p_amount IS NULL THEN 'KT011' ELSE 'KT023' END;
    END IF;
    IF g.expires_at <= kt_now() THEN RAISE EXCEPTION 'grant % has expired', p_grant USING ERRCODE = 'KT023'; END IF;
    SELECT coalesce(sum(asked - coalesce(amount, 0)), 0) INTO v_due FROM grant_refund
      WHERE organization_id = p_organization AND grant_id = p_grant AND refunded_at IS NULL;
    IF p_amount > g.available + g.leased - v_due THEN
      RAISE EXCEPTION 'grant % has % available and % leased, of which % is refunded', p_grant, trim_scale(g.available), trim_scale(g.leased), trim_scale(v_due)
        USING ERRCODE = 'KT022';
    END IF;
    INSERT INTO grant_refund (organization_id, id, grant_id, asked, reference, reason, counter_account)
      VALUES (p_organization, uuidv7(), p_grant, p_amount, p_reference, p_reason, v_account)
      ON CONFLICT (organization_id, reference) DO NOTHING RETURNING * INTO r;
    IF p_amount IS NULL AND r.id IS NOT NULL THEN UPDATE credit_grant SET closing_at = kt_now() WHERE organization_id = p_organization AND id = p_grant; END IF;
  END IF;
  -- No row: a concurrent transaction has just used the reference for another grant.
  IF r.id IS NULL OR r.grant_id <> p_grant OR r.asked IS DISTINCT FROM p_amount
    OR (p_counter_account IS NOT NULL AND coalesce(r.counter_account, g.counter_account, grant_counter_account_of(g.source, NULL)) <> p_counter_account) THEN
    RAISE EXCEPTION 'reference % was used for another refund', p_reference USING ERRCODE = 'KT011';
  END IF;
  PERFORM grant_refund_advance(p_organization, p_grant);
  SELECT * INTO STRICT r FROM grant_refund WHERE organization_id = p_organization AND id = r.id;
  RETURN r;
END $$;

ALTER FUNCTION grant_refund_against OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION grant_refund_against FROM PUBLIC;
GRANT EXECUTE ON FUNCTION grant_refund_against TO kilotoken_control, kilotoken_api;
