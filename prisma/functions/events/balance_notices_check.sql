-- Checks the next p_limit balances (`balance_left`) that have a notice, in the order of their keys after (p_organization, p_unit).
-- Answers {checked, crossed, organization, unit}; the last two continue the round.
CREATE OR REPLACE FUNCTION balance_notices_check(p_organization uuid, p_unit text, p_limit integer) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE n record; v_balance numeric; v_checked integer := 0; v_crossed integer := 0; v_crossing bigint; v_organization uuid; v_unit text;
BEGIN
  FOR n IN
    SELECT b.organization_id, b.unit, b.threshold, b.is_low FROM balance_notice b
    WHERE b.threshold IS NOT NULL AND (p_organization IS NULL OR (b.organization_id, b.unit) > (p_organization, p_unit))
    ORDER BY b.organization_id, b.unit LIMIT p_limit LOOP
    v_checked := v_checked + 1;
    v_organization := n.organization_id;
    v_unit := n.unit;
    v_balance := balance_left(n.organization_id, n.unit, n.threshold);
    IF v_balance >= n.threshold AND n.is_low THEN
      UPDATE balance_notice SET is_low = false WHERE organization_id = n.organization_id AND unit = n.unit AND is_low AND threshold = n.threshold;
    ELSIF v_balance < n.threshold AND NOT n.is_low THEN
      UPDATE balance_notice SET is_low = true, crossings = crossings + 1
        WHERE organization_id = n.organization_id AND unit = n.unit AND NOT is_low AND threshold = n.threshold RETURNING crossings INTO v_crossing;
      IF FOUND THEN
        PERFORM outbox_put(n.organization_id, 'grant.low', n.unit || ':' || v_crossing, jsonb_build_object('unit', n.unit,
          'balance', trim_scale(v_balance)::text, 'threshold', trim_scale(n.threshold)::text));
        v_crossed := v_crossed + 1;
      END IF;
    END IF;
  END LOOP;
  RETURN json_build_object('checked', v_checked, 'crossed', v_crossed, 'organization', v_organization, 'unit', v_unit);
END $$;

ALTER FUNCTION balance_notices_check OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION balance_notices_check FROM PUBLIC;
GRANT EXECUTE ON FUNCTION balance_notices_check TO kilotoken_backoffice, kilotoken_app;
