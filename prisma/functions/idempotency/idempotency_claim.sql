-- Claims a key for a request of this session, or answers its owner: {claimed, sameBody, requestId, status, charge, unit}. An organization
-- that has reached its daily number of keys is answered `full`; known keys are answered as ever. Beside `full` stand `sameBody` and
-- `status`, which gateways that do not know `full` read as a conflict.
--
-- A claim is over, and its key free for any body, when it expired; when its request failed without a charge; when its session was reaped
-- without a bill of it; or when no request was bound to it within p_unbound_ms (a later binding finds the claim over). A repair may still
-- charge a request in quarantine, so that request keeps its key. Executed again it answers the same.
CREATE OR REPLACE FUNCTION idempotency_claim(p_session uuid, p_organization uuid, p_key text, p_claim uuid, p_body_hash bytea, p_keep_ms bigint, p_unbound_ms bigint)
RETURNS json
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_now timestamptz := kt_now(); v_expires timestamptz := kt_now() + p_keep_ms * interval '1 millisecond'; c idempotency_claim; g record; v_is_new boolean;
BEGIN
  PERFORM session_fence(p_session);
  IF NOT EXISTS (SELECT FROM idempotency_claim WHERE organization_id = p_organization AND key = p_key) AND (
    SELECT coalesce(sum(t.claims), 0) FROM idempotency_tally t WHERE t.organization_id = p_organization AND t.day = (v_now AT TIME ZONE 'UTC')::date) >= idempotency_keys_max() THEN
    RETURN json_build_object('claimed', false, 'full', true, 'sameBody', true, 'status', 'running');
  END IF;
  -- The update changes nothing. It locks the existing row, or waits for the transaction that is inserting it.
  INSERT INTO idempotency_claim AS i (organization_id, key, claim_id, body_hash, session_id, claimed_at, expires_at)
    VALUES (p_organization, p_key, p_claim, p_body_hash, p_session, v_now, v_expires)
    ON CONFLICT (organization_id, key) DO UPDATE SET claim_id = i.claim_id RETURNING i.* INTO c;
  IF c.claim_id = p_claim THEN
    -- A repeated execution counts again: one too many, on which nothing depends.
    INSERT INTO idempotency_tally AS t (organization_id, day, slot, claims) VALUES (p_organization, (c.claimed_at AT TIME ZONE 'UTC')::date, idempotency_slot(p_claim), 1)
      ON CONFLICT (organization_id, day, slot) DO UPDATE SET claims = t.claims + 1 RETURNING claims = 1 INTO v_is_new;
    IF v_is_new THEN
      DELETE FROM idempotency_tally WHERE organization_id = p_organization AND ctid = ANY (ARRAY(
        SELECT o.ctid FROM idempotency_tally o WHERE o.organization_id = p_organization AND o.day < (v_now AT TIME ZONE 'UTC')::date - 1 FOR UPDATE SKIP LOCKED));
    END IF;
    RETURN json_build_object('claimed', true);
  END IF;

  -- One statement, one snapshot: a session that is reaped in it has all of its bills in it.
  SELECT s.reaped_at IS NOT NULL AS is_reaped, u.attempts > 0 AS is_settled, coalesce(u.is_completed, false) AS is_completed, u.charge, u.unit, coalesce(u.is_charged, false) AS is_charged,
      EXISTS (SELECT FROM usage_quarantine q WHERE q.organization_id = p_organization AND q.id = c.request_id
        AND (q.reason LIKE 'settle:%' OR q.reason LIKE 'reap:%')) AS is_quarantined
    INTO STRICT g
    FROM session s CROSS JOIN (
      SELECT count(*) AS attempts, bool_or(outcome = 'completed') AS is_completed, coalesce(sum(charge), 0) AS charge, min(unit) AS unit,
        bool_or(charge > 0 OR EXISTS (SELECT FROM jsonb_to_recordset(portions) AS p(charge numeric) WHERE p.charge > 0)) AS is_charged
      FROM usage WHERE organization_id = p_organization AND id = c.request_id) u
    WHERE s.id = c.session_id;

  IF c.expires_at <= v_now
    OR (c.request_id IS NULL AND (g.is_reaped OR c.claimed_at <= v_now - p_unbound_ms * interval '1 millisecond'))
    OR (c.request_id IS NOT NULL AND CASE WHEN g.is_settled THEN NOT g.is_completed AND NOT g.is_charged ELSE g.is_reaped AND NOT g.is_quarantined END)
  THEN
    UPDATE idempotency_claim SET claim_id = p_claim, body_hash = p_body_hash, session_id = p_session, request_id = NULL, claimed_at = v_now, expires_at = v_expires
      WHERE organization_id = p_organization AND key = p_key;
    RETURN json_build_object('claimed', true);
  END IF;
  RETURN json_build_object('claimed', false, 'sameBody', c.body_hash = p_body_hash, 'requestId', c.request_id,
    'status', CASE WHEN g.is_completed THEN 'completed' WHEN g.is_settled OR g.is_quarantined THEN 'failed' ELSE 'running' END,
    'charge', CASE WHEN g.is_settled THEN g.charge::text END, 'unit', CASE WHEN g.is_settled THEN g.unit END);
END $$;

ALTER FUNCTION idempotency_claim OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION idempotency_claim FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idempotency_claim TO kilotoken_gateway, kilotoken_app;
