-- Advances the refunds of a grant. Refunds of a part take the available amount; while more is due, the grant's leases are recalled. Once
-- no lease is open, a refund of the rest takes it, and a refund of a part ends with less than was asked where requests have used the
-- grant. The caller has locked the grant. Answers true when no refund of the grant waits. Executed again it changes nothing.
CREATE OR REPLACE FUNCTION grant_refund_advance(p_organization uuid, p_grant uuid) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE r grant_refund;
BEGIN
  PERFORM grant_refund_take(p_organization, p_grant);
  IF NOT EXISTS (SELECT FROM grant_refund WHERE organization_id = p_organization AND grant_id = p_grant AND refunded_at IS NULL) THEN RETURN true; END IF;
  PERFORM FROM lease WHERE organization_id = p_organization AND grant_id = p_grant AND closed_at IS NULL AND recalled_at IS NULL ORDER BY id FOR UPDATE;
  UPDATE lease SET recalled_at = kt_now() WHERE organization_id = p_organization AND grant_id = p_grant AND closed_at IS NULL AND recalled_at IS NULL;
  IF EXISTS (SELECT FROM lease WHERE organization_id = p_organization AND grant_id = p_grant AND closed_at IS NULL) THEN RETURN false; END IF;
  FOR r IN SELECT * FROM grant_refund WHERE organization_id = p_organization AND grant_id = p_grant AND refunded_at IS NULL ORDER BY asked NULLS LAST, id LOOP
    PERFORM grant_refund_book(r, CASE WHEN r.asked IS NULL THEN available ELSE 0 END, true)
      FROM credit_grant WHERE organization_id = p_organization AND id = p_grant;
  END LOOP;
  RETURN true;
END $$;

REVOKE ALL ON FUNCTION grant_refund_advance FROM PUBLIC;
GRANT EXECUTE ON FUNCTION grant_refund_advance TO kilotoken_definer;
