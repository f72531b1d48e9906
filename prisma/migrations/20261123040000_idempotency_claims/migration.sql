-- Why: `Idempotency-Key`. A key is claimed in a committed row before its request is dispatched, so that an answer that got
-- lost on its way is not generated and charged a second time. Only requests that carry the header come here.
-- Locks: nothing that exists; the foreign keys take SHARE ROW EXCLUSIVE on session and organization for a moment.
-- Lock order: session, then the one claim. A function here takes no other row lock.

-- `claim_id` is one request's hold on the key: whoever takes a key over changes it, and the one before can no longer bind.
-- `request_id` is null until the request holds its money: ids are minted with the hold. The state of a claim is not stored:
-- it follows from its session and from usage, which are written in any case.
CREATE TABLE idempotency_claim (
  organization_id uuid NOT NULL REFERENCES organization (id),
  key             text NOT NULL CHECK (key ~ '^[!-~]{1,255}$'),
  claim_id        uuid NOT NULL,
  body_hash       bytea NOT NULL CHECK (octet_length(body_hash) = 32),
  session_id      uuid NOT NULL REFERENCES session (id),
  request_id      uuid,
  claimed_at      timestamptz NOT NULL DEFAULT kt_now(),
  expires_at      timestamptz NOT NULL,
  PRIMARY KEY (organization_id, key)
) WITH (fillfactor = 70);
CREATE INDEX idempotency_claim_by_expiry ON idempotency_claim (expires_at);

-- Claims a key for a request of this session, or says whose it is: {claimed, sameBody, requestId, status, charge, unit}.
-- A claim is over, and the key free for any body, when it expired, or when nothing was charged, nothing was completed and
-- nothing can be any more: its request failed without charge, or its session was reaped and left no bill of it, or it has
-- no request after p_unbound_ms (a statement that arrived late; bound later, it would find that it is over).
-- What is in quarantine may yet be charged by a repair, so it keeps its key. Executed again it answers the same.
CREATE FUNCTION idempotency_claim(p_session uuid, p_organization uuid, p_key text, p_claim uuid, p_body_hash bytea, p_keep_ms bigint, p_unbound_ms bigint)
RETURNS json LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_now timestamptz := kt_now(); v_expires timestamptz := kt_now() + p_keep_ms * interval '1 millisecond'; c idempotency_claim; g record;
BEGIN
  PERFORM session_fence(p_session);
  -- The update changes nothing: it locks the row that is there, and waits for whoever is about to write it.
  INSERT INTO idempotency_claim AS i (organization_id, key, claim_id, body_hash, session_id, claimed_at, expires_at)
    VALUES (p_organization, p_key, p_claim, p_body_hash, p_session, v_now, v_expires)
    ON CONFLICT (organization_id, key) DO UPDATE SET claim_id = i.claim_id RETURNING i.* INTO c;
  IF c.claim_id = p_claim THEN RETURN json_build_object('claimed', true); END IF;

  -- One statement, one snapshot: a session that is seen as reaped has left all that it will ever be billed for.
  SELECT s.reaped_at IS NOT NULL AS is_reaped, u.attempts > 0 AS is_settled, coalesce(u.is_completed, false) AS is_completed, u.charge, u.unit,
      EXISTS (SELECT FROM usage_quarantine q WHERE q.organization_id = p_organization AND q.id = c.request_id
        AND (q.reason LIKE 'settle:%' OR q.reason LIKE 'reap:%')) AS is_quarantined
    INTO STRICT g
    FROM session s CROSS JOIN (
      SELECT count(*) AS attempts, bool_or(outcome = 'completed') AS is_completed, coalesce(sum(charge), 0) AS charge, min(unit) AS unit
      FROM usage WHERE organization_id = p_organization AND id = c.request_id) u
    WHERE s.id = c.session_id;

  IF c.expires_at <= v_now
    OR (c.request_id IS NULL AND (g.is_reaped OR c.claimed_at <= v_now - p_unbound_ms * interval '1 millisecond'))
    OR (c.request_id IS NOT NULL AND CASE WHEN g.is_settled THEN NOT g.is_completed AND g.charge = 0 ELSE g.is_reaped AND NOT g.is_quarantined END)
  THEN
    UPDATE idempotency_claim SET claim_id = p_claim, body_hash = p_body_hash, session_id = p_session, request_id = NULL, claimed_at = v_now, expires_at = v_expires
      WHERE organization_id = p_organization AND key = p_key;
    RETURN json_build_object('claimed', true);
  END IF;
  RETURN json_build_object('claimed', false, 'sameBody', c.body_hash = p_body_hash, 'requestId', c.request_id,
    'status', CASE WHEN g.is_completed THEN 'completed' WHEN g.is_settled OR g.is_quarantined THEN 'failed' ELSE 'running' END,
    'charge', CASE WHEN g.is_settled THEN g.charge::text END, 'unit', CASE WHEN g.is_settled THEN g.unit END);
END $$;

-- Names the request that a claim is for, before it is dispatched. False: somebody took the claim over, so it must not be.
CREATE FUNCTION idempotency_bind(p_session uuid, p_organization uuid, p_key text, p_claim uuid, p_request uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM session_fence(p_session);
  UPDATE idempotency_claim SET request_id = p_request WHERE organization_id = p_organization AND key = p_key AND claim_id = p_claim;
  RETURN FOUND;
END $$;

-- Gives a key back whose request was refused, or broke with nothing that could be billed. Fenced: of a dead session's
-- requests its reaper knows more than a process that was taken for dead.
CREATE FUNCTION idempotency_release(p_session uuid, p_organization uuid, p_key text, p_claim uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM session_fence(p_session);
  DELETE FROM idempotency_claim WHERE organization_id = p_organization AND key = p_key AND claim_id = p_claim;
END $$;

-- Deletes expired claims, at most so many: they have no effect any more and only take room. Answers how many.
CREATE FUNCTION idempotency_expire(p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_deleted integer;
BEGIN
  DELETE FROM idempotency_claim WHERE (organization_id, key) IN (
    SELECT organization_id, key FROM idempotency_claim WHERE expires_at <= kt_now() ORDER BY expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED);
  GET DIAGNOSTICS v_deleted = ROW_COUNT;
  RETURN v_deleted;
END $$;

-- ── Rights ─────────────────────────────────────────────────────────────────────────────────────────────────────
ALTER TABLE idempotency_claim ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON idempotency_claim FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY crossing ON idempotency_claim TO kilotoken_definer USING (true) WITH CHECK (true);
GRANT SELECT ON idempotency_claim TO kilotoken_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_claim TO kilotoken_definer;

DO $$
DECLARE f record;
BEGIN
  EXECUTE format('GRANT kilotoken_definer TO %I WITH SET TRUE', current_user);
  EXECUTE 'GRANT CREATE ON SCHEMA public TO kilotoken_definer';
  FOR f IN SELECT p.oid::regprocedure AS signature FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
           AND p.proname IN ('idempotency_claim', 'idempotency_bind', 'idempotency_release', 'idempotency_expire') LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f.signature);
    EXECUTE format('ALTER FUNCTION %s OWNER TO kilotoken_definer', f.signature);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO kilotoken_app, kilotoken_definer', f.signature);
  END LOOP;
  EXECUTE 'REVOKE CREATE ON SCHEMA public FROM kilotoken_definer';
END $$;
