-- Gives back a part of a usage row's payment in a unit, last allocation first. The part of a closed or closing grant becomes a new grant
-- on the same terms for thirty days. The caller holds no lock yet.
CREATE OR REPLACE FUNCTION rating_return(p_usage usage, p_unit text, p_amount numeric, p_reference text, p_reason text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE a record; g credit_grant; v_left numeric := p_amount; v_give numeric;
BEGIN
  PERFORM FROM credit_grant WHERE organization_id = p_usage.organization_id
    AND id IN (SELECT (e ->> 'grant')::uuid FROM jsonb_array_elements(p_usage.allocations) e WHERE coalesce(e ->> 'unit', p_usage.unit) = p_unit) ORDER BY id FOR UPDATE;
  FOR a IN SELECT (e.value ->> 'grant')::uuid AS grant_id, (e.value ->> 'amount')::numeric AS amount
           FROM jsonb_array_elements(p_usage.allocations) WITH ORDINALITY e WHERE coalesce(e.value ->> 'unit', p_usage.unit) = p_unit ORDER BY e.ordinality DESC LOOP
    v_give := least(v_left, a.amount);
    CONTINUE WHEN v_give <= 0;
    v_left := v_left - v_give;
    SELECT * INTO STRICT g FROM credit_grant WHERE organization_id = p_usage.organization_id AND id = a.grant_id;
    IF g.closing_at IS NOT NULL OR g.expires_at <= kt_now() THEN
      INSERT INTO credit_grant (organization_id, id, unit, source, promotional, reference, priority, scope_models, granted, available, expires_at,
          counter_account)
        VALUES (g.organization_id, uuidv7(), g.unit, g.source, g.promotional, p_reference || ':' || g.id, g.priority, g.scope_models, v_give, v_give,
          kt_now() + interval '30 days', g.counter_account);
    ELSE
      UPDATE credit_grant SET adjusted = adjusted + v_give, available = available + v_give WHERE organization_id = g.organization_id AND id = g.id;
      INSERT INTO grant_adjustment AS j (organization_id, id, grant_id, cause, reference, amount, reason)
        VALUES (g.organization_id, uuidv7(), g.id, 'rating', p_reference, v_give, p_reason)
        ON CONFLICT (organization_id, cause, reference, grant_id) DO UPDATE SET amount = j.amount + excluded.amount;
    END IF;
  END LOOP;
  IF v_left <> 0 THEN RAISE EXCEPTION 'usage % has % less allocated than is given back', p_usage.id, v_left USING ERRCODE = 'KT024'; END IF;
END $$;

REVOKE ALL ON FUNCTION rating_return FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rating_return TO kilotoken_definer;
