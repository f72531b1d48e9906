-- Corrects a usage row, with its earlier adjustments, to p_rated of a paying unit: moves the difference between grants of that unit and
-- posts it, once. The charge never exceeds the hold. Answers the adjustment, null without a difference.
CREATE OR REPLACE FUNCTION rating_adjust_unit(p_organization uuid, p_usage uuid, p_attempt smallint, p_unit text, p_rated numeric, p_reason text) RETURNS rating_adjustment
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE u usage; m record; v_new rating_adjustment; v_rated numeric; v_charge numeric; v_receivable numeric := 0; v_id uuid := uuidv7();
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('rating_adjust' || p_organization::text || p_usage::text, 0));
  SELECT * INTO STRICT u FROM usage WHERE organization_id = p_organization AND id = p_usage AND attempt = p_attempt;
  SELECT * INTO STRICT m FROM usage_amounts(u) a WHERE a.unit = p_unit;
  SELECT p_rated - m.rated - coalesce(sum(rated), 0), least(p_rated, m.hold) - m.charge - coalesce(sum(charge), 0) INTO v_rated, v_charge
    FROM rating_adjustment WHERE organization_id = p_organization AND usage_id = p_usage AND attempt = p_attempt AND coalesce(unit, u.unit) = p_unit;
  IF v_rated = 0 AND v_charge = 0 THEN RETURN NULL; END IF;
  IF v_charge < 0 THEN PERFORM rating_return(u, p_unit, -v_charge, v_id::text, p_reason); END IF;
  IF v_charge > 0 THEN v_receivable := rating_collect(u, p_unit, v_charge, v_id::text, p_reason); END IF;
  INSERT INTO rating_adjustment (organization_id, id, usage_id, attempt, unit, rated, charge, receivable, reason)
    VALUES (p_organization, v_id, p_usage, p_attempt, p_unit, v_rated, v_charge, v_receivable, p_reason) RETURNING * INTO v_new;
  PERFORM ledger_post(p_organization, 'rating_adjusted', v_id::text, jsonb_build_array(
    jsonb_build_object('account', 'grant_liability', 'unit', p_unit, 'amount', v_charge - v_receivable),
    jsonb_build_object('account', 'receivable', 'unit', p_unit, 'amount', v_receivable),
    jsonb_build_object('account', 'uncollected', 'unit', p_unit, 'amount', v_rated - v_charge),
    jsonb_build_object('account', 'usage_revenue', 'unit', p_unit, 'amount', -v_rated)));
  RETURN v_new;
END $$;

REVOKE ALL ON FUNCTION rating_adjust_unit FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rating_adjust_unit TO kilotoken_definer;
