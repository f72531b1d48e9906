-- Moves an available amount of a grant to one of its refunds and posts it. The refund ends with it or waits for more. The caller has
-- locked the grant.
CREATE OR REPLACE FUNCTION grant_refund_book(p_refund grant_refund, p_amount numeric, p_ends boolean) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE g credit_grant; v_so_far numeric := coalesce(p_refund.amount, 0) + p_amount;
BEGIN
  UPDATE grant_refund SET amount = v_so_far, refunded_at = CASE WHEN p_ends THEN kt_now() END
    WHERE organization_id = p_refund.organization_id AND id = p_refund.id AND refunded_at IS NULL;
  IF p_amount = 0 THEN RETURN; END IF;
  UPDATE credit_grant SET available = available - p_amount, refunded = refunded + p_amount
    WHERE organization_id = p_refund.organization_id AND id = p_refund.grant_id AND available >= p_amount RETURNING * INTO STRICT g;
  PERFORM ledger_post(g.organization_id, 'grant_refunded', concat_ws(':', g.id, p_refund.id, v_so_far), ledger_pair('grant_liability',
    coalesce(p_refund.counter_account, g.counter_account, grant_counter_account_of(g.source, NULL)), g.unit, p_amount));
END $$;

REVOKE ALL ON FUNCTION grant_refund_book FROM PUBLIC;
GRANT EXECUTE ON FUNCTION grant_refund_book TO kilotoken_definer;
