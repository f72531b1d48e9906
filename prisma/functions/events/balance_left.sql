-- The balance of a unit: the available amount of grants that may be spent now, plus the unused part of the leased amount. That part is
-- counted from usage only where it decides whether the balance is below p_threshold; else all of the leased amount counts, or none.
CREATE OR REPLACE FUNCTION balance_left(p_organization uuid, p_unit text, p_threshold numeric) RETURNS numeric
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_available numeric; v_leased numeric; v_balance numeric;
BEGIN
  SELECT coalesce(sum(g.available), 0), coalesce(sum(g.leased), 0) INTO v_available, v_leased FROM credit_grant g
    WHERE g.organization_id = p_organization AND g.unit = p_unit AND g.closing_at IS NULL
      AND g.effective_at <= kt_now() AND (g.expires_at IS NULL OR g.expires_at > kt_now());
  v_balance := v_available + v_leased;
  IF v_available < p_threshold AND v_balance >= p_threshold THEN
    SELECT coalesce(sum(g.available + g.leased - g.spent_open), 0) INTO v_balance FROM grant_balances(p_organization, NULL) g
      JOIN credit_grant c ON c.organization_id = p_organization AND c.id = g.id
      WHERE g.unit = p_unit AND c.closing_at IS NULL AND g.effective_at <= kt_now() AND (g.expires_at IS NULL OR g.expires_at > kt_now());
  END IF;
  RETURN v_balance;
END $$;

REVOKE ALL ON FUNCTION balance_left FROM PUBLIC;
GRANT EXECUTE ON FUNCTION balance_left TO kilotoken_definer;
