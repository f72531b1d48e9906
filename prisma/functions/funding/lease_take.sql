-- Moves p_need plus up to p_spare from the organization's grants of a unit that may pay for a model, in burn order, to leases of the
-- session. Near the floor the spare part shrinks to zero: it is at most an eighth of the remainder. Where less than p_least is available,
-- nothing moves. Where less than p_need is available, leases of other sessions are recalled. Answers {leases: [...], available, leased}:
-- this ask's leases, and the grants' amounts after it.
--
-- The same p_ask again answers the same leases. An ask that got nothing gets nothing later either: a late execution would take money that
-- its session never learns of. A session's asks ascend by their id.
--
-- The planner's settings: usage and leases are looked up by key, even by a plan that was made while the tables were empty.
CREATE OR REPLACE FUNCTION lease_take(p_session uuid, p_organization uuid, p_ask uuid, p_unit text, p_model text,
  p_need numeric, p_least numeric, p_spare numeric, p_first_usage uuid) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  v_now timestamptz := kt_now();
  v_available numeric; v_leased numeric; v_left numeric; v_take numeric; v_taken boolean := false;
  v_ids uuid[]; g record;
BEGIN
  PERFORM session_fence(p_session);
  -- Executions of one ask wait for each other, also where there is no grant to lock.
  PERFORM pg_advisory_xact_lock(hashtextextended(p_session::text || p_organization::text || p_unit, 0));
  SELECT array_agg(locked.id) INTO v_ids FROM (
    SELECT c.id FROM credit_grant c
    WHERE c.organization_id = p_organization AND c.unit = p_unit AND c.closing_at IS NULL AND c.effective_at <= v_now
      AND (c.expires_at IS NULL OR c.expires_at > v_now) AND (c.scope_models IS NULL OR p_model = ANY (c.scope_models))
    ORDER BY c.id FOR UPDATE) locked;

  IF NOT EXISTS (SELECT FROM lease WHERE organization_id = p_organization AND ask_id = p_ask) AND NOT EXISTS (
      SELECT FROM refused_ask WHERE organization_id = p_organization AND session_id = p_session AND unit = p_unit AND ask_id >= p_ask) THEN
    SELECT coalesce(sum(available), 0) INTO v_available FROM credit_grant WHERE organization_id = p_organization AND id = ANY (v_ids);
    IF v_available >= p_least THEN
      v_left := least(v_available, p_need + least(p_spare, greatest(0, trunc((v_available - p_need) / 8, 12))));
      FOR g IN SELECT id, available FROM credit_grant WHERE organization_id = p_organization AND id = ANY (v_ids) AND available > 0
               ORDER BY priority, expires_at NULLS LAST, promotional DESC, effective_at, created_at, id LOOP
        EXIT WHEN v_left <= 0;
        v_take := least(v_left, g.available);
        UPDATE credit_grant SET available = available - v_take, leased = leased + v_take
          WHERE organization_id = p_organization AND id = g.id AND available >= v_take;
        INSERT INTO lease (organization_id, id, grant_id, session_id, ask_id, slice, first_usage_id)
          VALUES (p_organization, uuidv7(), g.id, p_session, p_ask, v_take, p_first_usage);
        v_left := v_left - v_take;
        v_taken := true;
      END LOOP;
    END IF;
    IF NOT v_taken THEN
      INSERT INTO refused_ask (organization_id, session_id, unit, ask_id) VALUES (p_organization, p_session, p_unit, p_ask)
        ON CONFLICT (organization_id, session_id, unit) DO UPDATE SET ask_id = excluded.ask_id;
    END IF;
    IF v_available < p_need THEN
      UPDATE lease SET recalled_at = v_now WHERE organization_id = p_organization AND id IN (
        SELECT id FROM lease WHERE organization_id = p_organization AND grant_id = ANY (v_ids) AND session_id <> p_session
          AND closed_at IS NULL AND recalled_at IS NULL ORDER BY id FOR UPDATE);
    END IF;
  END IF;

  SELECT coalesce(sum(available), 0), coalesce(sum(leased), 0) INTO v_available, v_leased
    FROM credit_grant WHERE organization_id = p_organization AND id = ANY (v_ids);
  RETURN json_build_object('available', v_available::text, 'leased', v_leased::text, 'leases', (
    SELECT coalesce(json_agg(json_build_object('leaseId', l.id, 'grantId', l.grant_id, 'slice', l.slice::text, 'models', c.scope_models,
        'rank', json_build_object('priority', c.priority, 'expiresAtMs', extract(epoch FROM c.expires_at) * 1000, 'promotional', c.promotional,
          'effectiveAtMs', extract(epoch FROM c.effective_at) * 1000, 'createdAtMs', extract(epoch FROM c.created_at) * 1000))
        ORDER BY c.priority, c.expires_at NULLS LAST, c.promotional DESC, c.effective_at, c.created_at, c.id), '[]'::json)
    FROM lease l JOIN credit_grant c ON c.organization_id = l.organization_id AND c.id = l.grant_id
    WHERE l.organization_id = p_organization AND l.ask_id = p_ask AND l.session_id = p_session AND l.closed_at IS NULL));
END $$;

ALTER FUNCTION lease_take OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION lease_take FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lease_take TO kilotoken_gateway, kilotoken_app;
