-- Transfers an available amount of a grant to another organization of the same account tree, where it becomes the grant p_to_grant on the same
-- terms. Each organization's chain gets a transaction; the two balance through transfer_clearing. Once per reference of the giving
-- organization; asked again it answers the same transfer.
-- Errors: KT011 the reference stands for another transfer; KT021 no such grant; KT022 less than that is available; KT023 the grant has expired
-- or is being refunded; KT026 the organizations are not two of one tree; 23503 there is no such organization to transfer to;
-- those of control_fence for the giving organization.
CREATE OR REPLACE FUNCTION grant_transfer_to(p_organization uuid, p_grant uuid, p_to_organization uuid, p_to_grant uuid, p_amount numeric, p_reference text,
  p_reason text) RETURNS grant_transfer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE g credit_grant; v_received credit_grant; t grant_transfer; v_roots uuid[];
BEGIN
  PERFORM control_fence(p_organization);
  SELECT * INTO g FROM credit_grant WHERE organization_id = p_organization AND id = p_grant FOR UPDATE;
  IF NOT FOUND THEN RAISE EXCEPTION 'there is no grant %', p_grant USING ERRCODE = 'KT021'; END IF;
  SELECT * INTO t FROM grant_transfer WHERE organization_id = p_organization AND reference = p_reference;
  IF FOUND THEN
    IF t.grant_id <> p_grant OR t.to_organization_id <> p_to_organization OR t.amount <> p_amount THEN
      RAISE EXCEPTION 'reference % was used for another transfer', p_reference USING ERRCODE = 'KT011';
    END IF;
    RETURN t;
  END IF;
  SELECT array_agg(account_root_id) INTO v_roots FROM organization WHERE id IN (p_organization, p_to_organization);
  IF NOT EXISTS (SELECT FROM organization WHERE id = p_to_organization) THEN
    RAISE EXCEPTION 'there is no organization %', p_to_organization USING ERRCODE = 'foreign_key_violation';
  END IF;
  IF cardinality(v_roots) <> 2 OR v_roots[1] <> v_roots[2] THEN
    RAISE EXCEPTION 'organizations % and % are not two of one tree', p_organization, p_to_organization USING ERRCODE = 'KT026';
  END IF;
  IF g.closing_at IS NOT NULL OR g.expires_at <= kt_now() THEN RAISE EXCEPTION 'grant % is closed', p_grant USING ERRCODE = 'KT023'; END IF;
  UPDATE credit_grant SET available = available - p_amount, transferred = transferred + p_amount
    WHERE organization_id = p_organization AND id = p_grant AND available >= p_amount;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'grant % has % available and % leased', p_grant, trim_scale(g.available), trim_scale(g.leased) USING ERRCODE = 'KT022';
  END IF;

  -- The same terms, whatever columns hold them; amounts and places are its own.
  v_received := g;
  v_received.organization_id := p_to_organization; v_received.id := p_to_grant; v_received.source := 'transfer';
  v_received.reference := p_grant || ':' || p_reference;
  v_received.counter_account := coalesce(g.counter_account, grant_counter_account_of(g.source, NULL));
  v_received.granted := p_amount; v_received.available := p_amount;
  v_received.adjusted := 0; v_received.refunded := 0; v_received.expired := 0; v_received.rolled_over := 0; v_received.transferred := 0;
  v_received.settled := 0; v_received.leased := 0;
  v_received.created_at := kt_now();
  INSERT INTO credit_grant VALUES (v_received.*);
  INSERT INTO grant_transfer (organization_id, id, grant_id, to_organization_id, to_grant_id, amount, reference, reason)
    VALUES (p_organization, uuidv7(), p_grant, p_to_organization, p_to_grant, p_amount, p_reference, p_reason)
    ON CONFLICT (organization_id, reference) DO NOTHING RETURNING * INTO t;
  -- No row: a concurrent transaction has just used the reference for another grant.
  IF NOT FOUND THEN RAISE EXCEPTION 'reference % was used for another transfer', p_reference USING ERRCODE = 'KT011'; END IF;
  PERFORM ledger_post_many(jsonb_build_array(
    jsonb_build_object('organization', p_organization, 'kind', 'grant_transferred', 'source', p_grant || ':' || t.id,
      'postings', ledger_pair('grant_liability', 'transfer_clearing', g.unit, p_amount)),
    jsonb_build_object('organization', p_to_organization, 'kind', 'grant_received', 'source', p_to_grant,
      'postings', ledger_pair('transfer_clearing', 'grant_liability', g.unit, p_amount))));
  RETURN t;
END $$;

ALTER FUNCTION grant_transfer_to OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION grant_transfer_to FROM PUBLIC;
GRANT EXECUTE ON FUNCTION grant_transfer_to TO kilotoken_control, kilotoken_api;
