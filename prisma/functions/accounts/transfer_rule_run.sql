-- Runs a transfer rule: where the child's balance is below the threshold, transfers the rule's amount, or less where the month's cap or
-- the parent's available amount is less. It takes grants in burn order, and each part is a transfer of `grant_transfer_to`. Answers the
-- sum; 0 where nothing is due, or another session runs the rule. A second run sees the balance that the first one made.
-- Locks: the rule, then grants and chains as `ledger_lock` does. A month is one of UTC.
CREATE OR REPLACE FUNCTION transfer_rule_run(p_organization uuid, p_child uuid, p_unit text) RETURNS numeric
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  r transfer_rule; g record; v_month timestamptz := date_trunc('month', kt_now(), 'UTC'); v_spent numeric; v_due numeric; v_part numeric; v_sum numeric := 0;
BEGIN
  SELECT * INTO r FROM transfer_rule WHERE organization_id = p_organization AND child_id = p_child AND unit = p_unit FOR UPDATE SKIP LOCKED;
  IF NOT FOUND OR balance_left(p_child, p_unit, r.threshold) >= r.threshold THEN RETURN 0; END IF;
  v_spent := CASE WHEN r.month_start = v_month THEN r.transferred ELSE 0 END;
  v_due := least(r.amount, r.cap_per_month - v_spent);
  IF v_due <= 0 THEN RETURN 0; END IF;
  PERFORM ledger_lock(ARRAY[p_organization, p_child], ARRAY(SELECT c.id FROM credit_grant c WHERE c.organization_id = p_organization AND c.unit = p_unit AND c.available > 0));
  FOR g IN
    SELECT c.id, c.available FROM credit_grant c
    WHERE c.organization_id = p_organization AND c.unit = p_unit AND c.available > 0 AND c.closing_at IS NULL
      AND c.effective_at <= kt_now() AND (c.expires_at IS NULL OR c.expires_at > kt_now())
    ORDER BY c.priority, c.expires_at NULLS LAST, c.promotional DESC, c.effective_at, c.created_at, c.id LOOP
    EXIT WHEN v_sum >= v_due;
    v_part := least(g.available, v_due - v_sum);
    r.transfers := r.transfers + 1;
    PERFORM grant_transfer_to(p_organization, g.id, p_child, uuidv7(), v_part, format('rule:%s:%s:%s', p_child, p_unit, r.transfers), 'transfer rule');
    v_sum := v_sum + v_part;
  END LOOP;
  IF v_sum > 0 THEN
    UPDATE transfer_rule SET month_start = v_month, transferred = v_spent + v_sum, transfers = r.transfers
      WHERE organization_id = p_organization AND child_id = p_child AND unit = p_unit;
  END IF;
  RETURN v_sum;
END $$;

ALTER FUNCTION transfer_rule_run OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION transfer_rule_run FROM PUBLIC;
GRANT EXECUTE ON FUNCTION transfer_rule_run TO kilotoken_backoffice, kilotoken_app;
