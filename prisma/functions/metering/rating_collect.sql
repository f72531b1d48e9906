-- Takes a higher charge from the organization's grants of a unit in burn order, from each its available amount. Answers the unpaid rest.
CREATE OR REPLACE FUNCTION rating_collect(p_usage usage, p_unit text, p_amount numeric, p_reference text, p_reason text) RETURNS numeric
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE g credit_grant; v_left numeric := p_amount; v_take numeric; v_ids uuid[];
BEGIN
  SELECT array_agg(locked.id) INTO v_ids FROM (
    SELECT id FROM credit_grant WHERE organization_id = p_usage.organization_id AND unit = p_unit AND closing_at IS NULL AND effective_at <= kt_now()
      AND (expires_at IS NULL OR expires_at > kt_now()) AND (scope_models IS NULL OR p_usage.model = ANY (scope_models)) ORDER BY id FOR UPDATE) locked;
  FOR g IN SELECT * FROM credit_grant WHERE organization_id = p_usage.organization_id AND id = ANY (v_ids) AND available > 0
           ORDER BY priority, expires_at NULLS LAST, promotional DESC, effective_at, created_at, id LOOP
    EXIT WHEN v_left <= 0;
    v_take := least(v_left, g.available);
    v_left := v_left - v_take;
    UPDATE credit_grant SET adjusted = adjusted - v_take, available = available - v_take
      WHERE organization_id = g.organization_id AND id = g.id AND available >= v_take;
    INSERT INTO grant_adjustment (organization_id, id, grant_id, cause, reference, amount, reason)
      VALUES (g.organization_id, uuidv7(), g.id, 'rating', p_reference, -v_take, p_reason);
  END LOOP;
  RETURN v_left;
END $$;

REVOKE ALL ON FUNCTION rating_collect FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rating_collect TO kilotoken_definer;
