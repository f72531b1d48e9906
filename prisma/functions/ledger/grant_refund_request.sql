-- Refunds the rest of a grant. Again with the same reference it changes nothing, but finishes an unfinished refund. Errors: KT011 the
-- reference, or the grant's refund, is another one; KT021 no such grant; KT023 its end has come.
CREATE OR REPLACE FUNCTION grant_refund_request(p_organization uuid, p_grant uuid, p_reference text, p_reason text) RETURNS numeric
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE g credit_grant; r grant_refund;
BEGIN
  SELECT * INTO g FROM credit_grant WHERE organization_id = p_organization AND id = p_grant FOR UPDATE;
  IF NOT FOUND THEN RAISE EXCEPTION 'there is no grant %', p_grant USING ERRCODE = 'KT021'; END IF;
  SELECT * INTO r FROM grant_refund WHERE organization_id = p_organization AND (grant_id = p_grant OR reference = p_reference) LIMIT 1;
  IF FOUND AND (r.grant_id <> p_grant OR r.reference <> p_reference) THEN
    RAISE EXCEPTION 'grant % is refunded under reference %', r.grant_id, r.reference USING ERRCODE = 'KT011';
  END IF;
  IF NOT FOUND THEN
    IF g.expires_at <= kt_now() THEN RAISE EXCEPTION 'grant % has expired', p_grant USING ERRCODE = 'KT023'; END IF;
    INSERT INTO grant_refund (organization_id, grant_id, reference, reason) VALUES (p_organization, p_grant, p_reference, p_reason);
    UPDATE credit_grant SET closing_at = kt_now() WHERE organization_id = p_organization AND id = p_grant;
  END IF;
  RETURN grant_refund_finish(p_organization, p_grant);
END $$;

REVOKE ALL ON FUNCTION grant_refund_request FROM PUBLIC;
GRANT EXECUTE ON FUNCTION grant_refund_request TO kilotoken_definer;
