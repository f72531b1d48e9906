-- Why: the named functions that move money or cross organizations, and row-level security on every tenant table.
-- Locks: a moment's ACCESS EXCLUSIVE on each new, empty table.
-- Lock order in every function: session, grants by id, leases by id, open requests, usage, counters.

-- ── Configuration changes ──────────────────────────────────────────────────────────────────────────────────────
-- The last 10,000 changes are kept: who is further behind forgets all that it knows (see gateway_poll).
CREATE FUNCTION config_changed(p_kind text, p_organization uuid) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, public, pg_temp AS $$
  DELETE FROM config_change WHERE version <= (SELECT version FROM config_version) - 10000;
  WITH next AS (UPDATE config_version SET version = version + 1 RETURNING version)
  INSERT INTO config_change (version, kind, organization_id) SELECT version, p_kind, p_organization FROM next
$$;

CREATE FUNCTION catalogue_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN PERFORM config_changed('catalogue', NULL); RETURN NULL; END $$;

CREATE FUNCTION organization_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF TG_TABLE_NAME = 'organization' THEN PERFORM config_changed('organization', NEW.id);
  ELSE PERFORM config_changed('organization', NEW.organization_id); END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER model_changed AFTER INSERT OR UPDATE OR DELETE ON model FOR EACH STATEMENT EXECUTE FUNCTION catalogue_changed();
CREATE TRIGGER lane_changed AFTER INSERT OR UPDATE OR DELETE ON lane FOR EACH STATEMENT EXECUTE FUNCTION catalogue_changed();
CREATE TRIGGER price_changed AFTER INSERT OR UPDATE OR DELETE ON price_version FOR EACH STATEMENT EXECUTE FUNCTION catalogue_changed();
-- A new organization or key is in no cache yet; what can be cached wrongly is a changed one. A key that was asked for
-- before it existed is forgotten by the gateways' small cache of unknown keys within a second.
CREATE TRIGGER key_changed AFTER UPDATE ON api_key FOR EACH ROW EXECUTE FUNCTION organization_changed();
CREATE TRIGGER organization_changed AFTER UPDATE ON organization FOR EACH ROW EXECUTE FUNCTION organization_changed();

-- ── Ledger ─────────────────────────────────────────────────────────────────────────────────────────────────────
-- Posts one transaction; p_postings: [{account, unit, amount}]. Zero amounts are left out. Posting the same
-- (kind, source) again changes nothing and answers false.
CREATE FUNCTION ledger_post(p_organization uuid, p_kind text, p_source text, p_postings jsonb) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_id uuid := uuidv7();
BEGIN
  IF EXISTS (SELECT FROM jsonb_to_recordset(p_postings) AS p(unit text, amount numeric) GROUP BY unit HAVING sum(amount) <> 0) THEN
    RAISE EXCEPTION 'a ledger transaction must sum to zero in each unit: %', p_postings USING ERRCODE = 'KT010';
  END IF;
  INSERT INTO ledger_transaction (organization_id, id, kind, source_id) VALUES (p_organization, v_id, p_kind, p_source)
    ON CONFLICT (organization_id, kind, source_id) DO NOTHING;
  IF NOT FOUND THEN RETURN false; END IF;
  INSERT INTO ledger_posting (organization_id, transaction_id, line, account, unit, amount)
    SELECT p_organization, v_id, row_number() OVER (), p.account, p.unit, p.amount
    FROM jsonb_to_recordset(p_postings) AS p(account text, unit text, amount numeric) WHERE p.amount <> 0;
  RETURN true;
END $$;

-- ── Grants ─────────────────────────────────────────────────────────────────────────────────────────────────────
-- Issues a grant once per (organization, source, reference) and posts it. Answers the grant's id, the first one's if
-- it was issued before; the same reference with another amount or unit is an error (KT011).
CREATE FUNCTION grant_issue(p_organization uuid, p_id uuid, p_unit text, p_amount numeric, p_source text, p_reference text,
  p_priority smallint, p_scope_models text[], p_effective_at timestamptz, p_expires_at timestamptz) RETURNS uuid
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  v_promotional boolean := p_source IN ('promotion', 'free_quota', 'sla_credit');
  v_known credit_grant;
BEGIN
  INSERT INTO credit_grant (organization_id, id, unit, source, promotional, reference, priority, scope_models, granted, available,
      effective_at, expires_at)
    VALUES (p_organization, p_id, p_unit, p_source, v_promotional, p_reference, coalesce(p_priority, 100::smallint), p_scope_models,
      p_amount, p_amount, coalesce(p_effective_at, kt_now()), p_expires_at)
    ON CONFLICT (organization_id, source, reference) DO NOTHING;
  IF NOT FOUND THEN
    SELECT * INTO STRICT v_known FROM credit_grant WHERE organization_id = p_organization AND source = p_source AND reference = p_reference;
    IF v_known.granted <> p_amount OR v_known.unit <> p_unit THEN
      RAISE EXCEPTION 'reference % was used for another grant', p_reference USING ERRCODE = 'KT011';
    END IF;
    RETURN v_known.id;
  END IF;
  PERFORM ledger_post(p_organization, 'grant_issued', p_id::text, jsonb_build_array(
    jsonb_build_object('account', CASE WHEN v_promotional THEN 'promotion_expense' ELSE 'cash_clearing' END, 'unit', p_unit, 'amount', p_amount),
    jsonb_build_object('account', 'grant_liability', 'unit', p_unit, 'amount', -p_amount)));
  RETURN p_id;
END $$;

-- Expires what is available on grants whose end has come; what is leased expires when it returns. Answers how many.
CREATE FUNCTION grants_expire(p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE g credit_grant; n integer := 0;
BEGIN
  FOR g IN SELECT * FROM credit_grant WHERE expires_at <= kt_now() AND available > 0
           ORDER BY organization_id, id LIMIT p_limit FOR UPDATE SKIP LOCKED LOOP
    UPDATE credit_grant SET available = 0, expired = expired + g.available WHERE organization_id = g.organization_id AND id = g.id;
    PERFORM ledger_post(g.organization_id, 'grant_expired', g.id::text || ':' || (g.expired + g.available)::text, jsonb_build_array(
      jsonb_build_object('account', 'grant_liability', 'unit', g.unit, 'amount', g.available),
      jsonb_build_object('account', 'breakage_revenue', 'unit', g.unit, 'amount', -g.available)));
    n := n + 1;
  END LOOP;
  RETURN n;
END $$;

-- Every grant of an organization in one snapshot. `spent_open`: what open leases have spent so far; `held_elsewhere`: what
-- requests hold that are open at sessions other than p_session (the asking gateway knows its own to the digit).
CREATE FUNCTION grant_balances(p_organization uuid, p_session uuid)
RETURNS TABLE (id uuid, source text, unit text, priority smallint, granted numeric, removed numeric, available numeric, leased numeric,
  settled numeric, spent_open numeric, held_elsewhere numeric, effective_at timestamptz, expires_at timestamptz, created_at timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT g.id, g.source, g.unit, g.priority, g.granted + g.adjusted, g.refunded + g.expired + g.rolled_over + g.transferred,
    g.available, g.leased, g.settled,
    coalesce((SELECT sum((a ->> 'amount')::numeric) FROM lease l
      JOIN usage u ON u.organization_id = l.organization_id AND u.session_id = l.session_id AND u.id >= l.first_usage_id
      CROSS JOIN LATERAL jsonb_array_elements(u.allocations) a
      WHERE l.organization_id = g.organization_id AND l.grant_id = g.id AND l.closed_at IS NULL AND (a ->> 'lease')::uuid = l.id), 0),
    coalesce((SELECT sum((h ->> 'amount')::numeric) FROM open_request o CROSS JOIN LATERAL jsonb_array_elements(o.holds) h
      WHERE o.organization_id = g.organization_id AND o.session_id IS DISTINCT FROM p_session AND (h ->> 'grant')::uuid = g.id), 0),
    g.effective_at, g.expires_at, g.created_at
  FROM credit_grant g WHERE g.organization_id = p_organization
  ORDER BY g.priority, g.expires_at NULLS LAST, g.promotional DESC, g.effective_at, g.created_at, g.id
$$;

-- ── Sessions ───────────────────────────────────────────────────────────────────────────────────────────────────
CREATE FUNCTION session_start(p_session uuid, p_app text, p_host text, p_pid integer, p_release text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  INSERT INTO session (id, app, host, pid, release) VALUES (p_session, p_app, p_host, p_pid, p_release) ON CONFLICT DO NOTHING;
  INSERT INTO session_heartbeat (session_id) VALUES (p_session) ON CONFLICT DO NOTHING;
END $$;

CREATE FUNCTION session_beat(p_session uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  UPDATE session_heartbeat SET beat = beat + 1, beat_at = kt_now() WHERE session_id = p_session
$$;

-- Sessions that are not reaped, with their heartbeat counters: the reaper compares counters, never times.
CREATE FUNCTION session_beats() RETURNS TABLE (session_id uuid, beat bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT s.id, h.beat FROM session s JOIN session_heartbeat h ON h.session_id = s.id WHERE s.reaped_at IS NULL
$$;

-- Every statement that moves money for a session starts here. No row: the session was reaped, the caller is a zombie.
CREATE FUNCTION session_fence(p_session uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM FROM session WHERE id = p_session AND reaped_at IS NULL FOR SHARE;
  IF NOT FOUND THEN RAISE EXCEPTION 'session % was reaped', p_session USING ERRCODE = 'KT001'; END IF;
END $$;

-- A gateway's poll: is it alive, what changed since the version it knows, which of its leases are wanted back, what time
-- is it. More than 1,000 changes at once are answered with `changes: null`: forget every cache.
CREATE FUNCTION gateway_poll(p_session uuid, p_since bigint) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT json_build_object(
    'alive', EXISTS (SELECT FROM session WHERE id = p_session AND reaped_at IS NULL),
    'version', v.version::text,
    'nowMs', extract(epoch FROM kt_now()) * 1000 + extract(epoch FROM clock_timestamp() - now()) * 1000,
    'changes', CASE WHEN v.version - p_since <= 1000 THEN
      (SELECT coalesce(json_agg(json_build_object('kind', c.kind, 'organizationId', c.organization_id) ORDER BY c.version), '[]'::json)
       FROM config_change c WHERE c.version > p_since AND c.version <= v.version) END,
    'recalled', (SELECT coalesce(json_agg(json_build_object('organizationId', l.organization_id, 'leaseId', l.id)), '[]'::json)
      FROM (SELECT organization_id, id FROM lease WHERE session_id = p_session AND closed_at IS NULL AND recalled_at IS NOT NULL LIMIT 1000) l))
  FROM config_version v
$$;

-- ── Keys ───────────────────────────────────────────────────────────────────────────────────────────────────────
CREATE FUNCTION key_authenticate(p_hash bytea)
RETURNS TABLE (organization_id uuid, account_root_id uuid, price_book_id uuid, organization_status text, project_id uuid, api_key_id uuid,
  allowed_models text[], expires_at timestamptz, revoked_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT k.organization_id, o.account_root_id, o.price_book_id, o.status, k.project_id, k.id, k.allowed_models, k.expires_at, k.revoked_at
  FROM api_key k JOIN organization o ON o.id = k.organization_id WHERE k.hash = p_hash
$$;

-- ── Leases ─────────────────────────────────────────────────────────────────────────────────────────────────────
-- Moves p_need plus up to p_spare from the organization's grants of a unit that may pay for a model, in burn order, to
-- leases of the session. Asking again with the same p_ask answers the same leases, and an ask that got nothing gets nothing
-- later either: a late execution would take what nobody knows of. The spare part shrinks to zero near the floor: at most an
-- eighth of what would remain. If not even p_least is there, nothing moves, and what other sessions hold idle is recalled.
-- Answers {leases: [...], available, leased}: what the grants hold after the ask. A session's asks ascend by their id.
CREATE FUNCTION lease_take(p_session uuid, p_organization uuid, p_ask uuid, p_unit text, p_model text,
  p_need numeric, p_least numeric, p_spare numeric, p_first_usage uuid) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  v_now timestamptz := kt_now();
  v_available numeric; v_leased numeric; v_left numeric; v_take numeric; v_taken boolean := false;
  v_ids uuid[]; g record;
BEGIN
  PERFORM session_fence(p_session);
  -- Executions of one ask come one after another, also where there is no grant to lock.
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

-- Shrinks leases of a session to what they still need. p_rows: [{organization, lease, keep, close}]; `keep` is the slice that
-- remains, an absolute amount, so that executing it again changes nothing; with `close`, keep is what the lease has settled.
-- A lease that is named twice is shrunk once, to the smaller remainder.
-- What comes back to a grant that has expired meanwhile expires in this transaction. The caller has taken the fence.
CREATE FUNCTION lease_shrink(p_session uuid, p_rows json) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_changed integer := 0; e record;
BEGIN
  PERFORM FROM credit_grant c WHERE (c.organization_id, c.id) IN (
      SELECT l.organization_id, l.grant_id FROM lease l
      JOIN json_to_recordset(p_rows) AS r(organization uuid, lease uuid) ON l.organization_id = r.organization AND l.id = r.lease)
    ORDER BY c.organization_id, c.id FOR UPDATE;
  PERFORM FROM lease l WHERE (l.organization_id, l.id) IN (SELECT r.organization, r.lease FROM json_to_recordset(p_rows) AS r(organization uuid, lease uuid))
    ORDER BY l.organization_id, l.id FOR UPDATE;
  FOR e IN
    WITH due AS (
      SELECT r.organization, r.lease, min(r.keep) AS keep, bool_or(r.close) AS close
      FROM json_to_recordset(p_rows) AS r(organization uuid, lease uuid, keep numeric, close boolean) GROUP BY 1, 2),
    before AS (
      SELECT l.organization_id, l.id, l.grant_id, l.slice, r.keep, r.close
      FROM lease l JOIN due r ON l.organization_id = r.organization AND l.id = r.lease
      WHERE l.session_id = p_session AND l.closed_at IS NULL),
    shrunk AS (
      UPDATE lease l SET slice = least(l.slice, b.keep), recalled_at = NULL,
        settled = CASE WHEN b.close THEN b.keep END, closed_at = CASE WHEN b.close THEN kt_now() END
      FROM before b WHERE l.organization_id = b.organization_id AND l.id = b.id),
    per_grant AS (
      SELECT organization_id, grant_id, sum(slice - least(slice, keep)) AS returned, coalesce(sum(keep) FILTER (WHERE close), 0) AS settled,
        count(*)::integer AS leases FROM before GROUP BY 1, 2)
    UPDATE credit_grant c SET leased = c.leased - p.returned - p.settled, settled = c.settled + p.settled,
      available = c.available + CASE WHEN c.expires_at <= kt_now() THEN 0 ELSE p.returned END,
      expired = c.expired + CASE WHEN c.expires_at <= kt_now() THEN p.returned ELSE 0 END
    FROM per_grant p WHERE c.organization_id = p.organization_id AND c.id = p.grant_id
    RETURNING c.organization_id, c.id, c.unit, c.expired, p.returned, p.leases, coalesce(c.expires_at <= kt_now(), false) AS is_over
  LOOP
    v_changed := v_changed + e.leases;
    IF e.is_over AND e.returned > 0 THEN
      PERFORM ledger_post(e.organization_id, 'grant_expired', e.id::text || ':' || e.expired::text, jsonb_build_array(
        jsonb_build_object('account', 'grant_liability', 'unit', e.unit, 'amount', e.returned),
        jsonb_build_object('account', 'breakage_revenue', 'unit', e.unit, 'amount', -e.returned)));
    END IF;
  END LOOP;
  RETURN v_changed;
END $$;

CREATE FUNCTION lease_return(p_session uuid, p_rows json) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM session_fence(p_session);
  RETURN lease_shrink(p_session, p_rows);
END $$;

-- ── Settling ───────────────────────────────────────────────────────────────────────────────────────────────────
-- Inserts usage rows of a flush, queues them for the rater, closes their open requests. Only rows that this INSERT wrote are
-- queued: executed again it writes none and queues none. Answers how many rows were given and how many it wrote. The rows
-- are parsed once and the clock is read once: per row, either would cost as much as an index entry.
CREATE FUNCTION usage_insert(p_session uuid, p_flush bigint, p_rows json, OUT given integer, OUT written integer)
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_now timestamptz := kt_now();
BEGIN
  WITH given_row AS MATERIALIZED (
    SELECT * FROM json_to_recordset(p_rows) AS r(organization uuid, id uuid, attempt smallint, root uuid, project uuid, key uuid, "user" text, tags jsonb,
      operation text, mode text, stream boolean, model text, tier_asked text, tier_served text, outcome text, status smallint, error text,
      finish text, lane uuid, upstream_model text, upstream_id text, upstream_status smallint, counts jsonb, estimated boolean, context bigint,
      max_tokens bigint, price uuid, unit text, hold numeric, rated numeric, charge numeric, allocations jsonb, cost numeric, cost_currency text,
      offset_ms integer, admitted double precision, dispatched double precision, first_token double precision, finished double precision, opened boolean)),
  written_row AS (
    INSERT INTO usage (organization_id, id, attempt, session_id, flush, shard, account_root_id, project_id, api_key_id, end_user, tags,
      operation, mode, stream, model, tier_asked, tier_served, outcome, status, error_code, finish_reason, lane_id, upstream_model,
      upstream_id, upstream_status, counts, estimated, context_tokens, max_tokens, price_version_id, unit, hold, rated, charge,
      allocations, cost, cost_currency, clock_offset_ms, admitted_at, dispatched_at, first_token_at, finished_at, settled_at)
    SELECT r.organization, r.id, r.attempt, p_session, p_flush, get_byte(uuid_send(r.root), 15) % 16, r.root, r.project, r.key, r.user, r.tags,
      r.operation, r.mode, r.stream, r.model, r.tier_asked, r.tier_served, r.outcome, r.status, r.error, r.finish, r.lane, r.upstream_model,
      r.upstream_id, r.upstream_status, r.counts, r.estimated, r.context, r.max_tokens, r.price, r.unit, r.hold, r.rated, r.charge,
      r.allocations, r.cost, r.cost_currency, r.offset_ms, to_timestamp(r.admitted / 1000), to_timestamp(r.dispatched / 1000),
      to_timestamp(r.first_token / 1000), to_timestamp(r.finished / 1000), v_now
    FROM given_row r
    ON CONFLICT DO NOTHING
    RETURNING organization_id, id, attempt, shard),
  queued AS (
    INSERT INTO unrated_batch (session_id, flush, shard, organization_ids, usage_ids, attempts)
    SELECT p_session, p_flush, shard, array_agg(organization_id), array_agg(id), array_agg(attempt) FROM written_row GROUP BY shard),
  closed AS (
    DELETE FROM open_request o USING given_row r WHERE r.opened AND o.organization_id = r.organization AND o.id = r.id)
  SELECT (SELECT count(*) FROM given_row), (SELECT count(*) FROM written_row) INTO given, written;
END $$;

-- One flush of a gateway, one transaction. A row that was there already is ours only if session, flush, counts and charge
-- match; anything else is an error (KT002): two requests under one id. Answers how many rows this execution wrote.
CREATE FUNCTION settle(p_session uuid, p_flush bigint, p_rows json) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_given integer; v_written integer; v_foreign text;
BEGIN
  PERFORM session_fence(p_session);
  SELECT i.given, i.written INTO v_given, v_written FROM usage_insert(p_session, p_flush, p_rows) i;
  IF v_written < v_given THEN
    SELECT string_agg(r.id::text, ', ') INTO v_foreign
    FROM json_to_recordset(p_rows) AS r(organization uuid, id uuid, attempt smallint, counts jsonb, charge numeric)
    LEFT JOIN usage u ON u.organization_id = r.organization AND u.id = r.id AND u.attempt = r.attempt
      AND u.session_id = p_session AND u.flush = p_flush AND u.counts = r.counts AND u.charge = r.charge
    WHERE u.id IS NULL;
    IF v_foreign IS NOT NULL THEN RAISE EXCEPTION 'usage % exists with other contents', v_foreign USING ERRCODE = 'KT002'; END IF;
  END IF;
  RETURN v_written;
END $$;

-- Opens or checkpoints running requests. p_rows: [{organization, id, holds, settlement}], settlement being usage rows. A
-- request that is settled, or whose settlement is in quarantine, is not opened again by a late execution.
CREATE FUNCTION checkpoint_requests(p_session uuid, p_rows json) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_written integer;
BEGIN
  PERFORM session_fence(p_session);
  INSERT INTO open_request AS o (organization_id, id, session_id, holds, settlement)
    SELECT r.organization, r.id, p_session, r.holds, r.settlement
    FROM json_to_recordset(p_rows) AS r(organization uuid, id uuid, holds jsonb, settlement jsonb)
    WHERE NOT EXISTS (SELECT FROM usage u WHERE u.organization_id = r.organization AND u.id = r.id)
      AND NOT EXISTS (SELECT FROM usage_quarantine q WHERE q.organization_id = r.organization AND q.id = r.id AND q.reason LIKE 'settle:%')
    ORDER BY r.organization, r.id
    ON CONFLICT (organization_id, id) DO UPDATE SET settlement = excluded.settlement, holds = excluded.holds, checkpoint_at = kt_now()
      WHERE o.session_id = p_session;
  GET DIAGNOSTICS v_written = ROW_COUNT;
  RETURN v_written;
END $$;

-- Keeps what could not be stored as usage, as the bytes it was. A request whose settlement is kept here ('settle:…') is closed.
CREATE FUNCTION usage_quarantine_put(p_session uuid, p_organization uuid, p_id uuid, p_attempt smallint, p_reason text, p_raw bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM session_fence(p_session);
  INSERT INTO usage_quarantine (organization_id, id, attempt, session_id, reason, raw)
    VALUES (p_organization, p_id, p_attempt, p_session, p_reason, p_raw) ON CONFLICT DO NOTHING;
  IF p_reason LIKE 'settle:%' THEN
    DELETE FROM open_request WHERE organization_id = p_organization AND id = p_id AND session_id = p_session;
  END IF;
END $$;

CREATE FUNCTION session_reap_one_by_one(p_session uuid) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE e record; v_billed integer := 0; v_flush bigint := -1;
BEGIN
  FOR e IN SELECT o.organization_id, o.id, s.value, s.ordinality - 1 AS attempt
           FROM open_request o CROSS JOIN LATERAL jsonb_array_elements(o.settlement) WITH ORDINALITY s
           WHERE o.session_id = p_session ORDER BY o.organization_id, o.id, s.ordinality LOOP
    BEGIN
      v_billed := v_billed + (usage_insert(p_session, v_flush, json_build_array(e.value))).written;
      v_flush := v_flush - 1;
    EXCEPTION WHEN data_exception OR integrity_constraint_violation OR cardinality_violation OR program_limit_exceeded THEN
      INSERT INTO usage_quarantine (organization_id, id, attempt, session_id, reason, raw)
        VALUES (e.organization_id, e.id, e.attempt, p_session, 'reap:' || SQLSTATE, convert_to(e.value::text, 'UTF8')) ON CONFLICT DO NOTHING;
    END;
  END LOOP;
  RETURN v_billed;
END $$;

-- Ends a session that a reaper has itself seen silent: fences it, bills its open requests up to their last checkpoint, closes
-- its leases with what their usage rows allocate. One transaction; executed again it changes nothing.
CREATE FUNCTION session_reap(p_session uuid) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_rows json; v_billed integer := 0; v_leases json; v_closed integer := 0;
BEGIN
  PERFORM FROM session WHERE id = p_session AND reaped_at IS NULL FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN json_build_object('reaped', false, 'billed', 0, 'leases', 0); END IF;
  -- The moment at which the fence was taken, not the one at which waiting for it began: what settled meanwhile was in time.
  UPDATE session SET reaped_at = kt_now() + (clock_timestamp() - now()) WHERE id = p_session;

  PERFORM FROM credit_grant c WHERE (c.organization_id, c.id) IN
      (SELECT organization_id, grant_id FROM lease WHERE session_id = p_session AND closed_at IS NULL)
    ORDER BY c.organization_id, c.id FOR UPDATE;
  PERFORM FROM lease WHERE session_id = p_session AND closed_at IS NULL ORDER BY organization_id, id FOR UPDATE;
  PERFORM FROM open_request WHERE session_id = p_session ORDER BY organization_id, id FOR UPDATE;

  SELECT json_agg(e) INTO v_rows FROM open_request o CROSS JOIN LATERAL jsonb_array_elements(o.settlement) e WHERE o.session_id = p_session;
  IF v_rows IS NOT NULL THEN
    BEGIN
      v_billed := (usage_insert(p_session, -1, v_rows)).written;
    EXCEPTION WHEN data_exception OR integrity_constraint_violation OR cardinality_violation OR program_limit_exceeded THEN
      -- One bad row must not keep a dead session's money: the rows are taken one by one, and the bad ones are kept apart.
      v_billed := session_reap_one_by_one(p_session);
    END;
  END IF;
  DELETE FROM open_request WHERE session_id = p_session;
  DELETE FROM refused_ask WHERE session_id = p_session;

  SELECT json_agg(json_build_object('organization', l.organization_id, 'lease', l.id, 'close', true, 'keep', coalesce((
      SELECT sum((a ->> 'amount')::numeric) FROM usage u CROSS JOIN LATERAL jsonb_array_elements(u.allocations) a
      WHERE u.organization_id = l.organization_id AND u.session_id = p_session AND u.id >= l.first_usage_id AND (a ->> 'lease')::uuid = l.id), 0)))
    INTO v_leases FROM lease l WHERE l.session_id = p_session AND l.closed_at IS NULL;
  IF v_leases IS NOT NULL THEN v_closed := lease_shrink(p_session, v_leases); END IF;
  RETURN json_build_object('reaped', true, 'billed', v_billed, 'leases', v_closed);
END $$;

-- ── Rating ─────────────────────────────────────────────────────────────────────────────────────────────────────
-- Claims unrated flushes of some shards for this transaction and answers their usage rows. Another rater skips them until the
-- transaction ends; if it rolls back, or its rater dies, they are there again.
CREATE FUNCTION rating_take(p_shards smallint[], p_batches integer)
RETURNS TABLE (session_id uuid, flush bigint, shard smallint, organization_id uuid, account_root_id uuid, id uuid, attempt smallint, api_key_id uuid,
  price_version_id uuid, counts jsonb, unit text, hold numeric, rated numeric, charge numeric, cost numeric, cost_currency text, settled_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  RETURN QUERY
  WITH claimed AS (
    SELECT b.* FROM unrated_batch b WHERE b.shard = ANY (p_shards) LIMIT p_batches FOR UPDATE SKIP LOCKED)
  SELECT c.session_id, c.flush, c.shard, u.organization_id, u.account_root_id, u.id, u.attempt, u.api_key_id, u.price_version_id, u.counts, u.unit,
    u.hold, u.rated, u.charge, u.cost, u.cost_currency, u.settled_at
  FROM claimed c CROSS JOIN LATERAL unnest(c.organization_ids, c.usage_ids, c.attempts) AS k(organization_id, id, attempt)
  JOIN usage u ON u.organization_id = k.organization_id AND u.id = k.id AND u.attempt = k.attempt;
END $$;

-- Posts what rating_take answered, in the same transaction. p_flushes: [{session, flush, shard}]; p_roots: [{root, rows}];
-- p_totals: one per organization, unit and cost currency: [{organization, unit, charge, rated, cost, cost_currency}];
-- p_keys: [{organization, key, used}]. The primary keys of rated_flush and rated_batch refuse a second posting.
CREATE FUNCTION rating_post(p_rating uuid, p_flushes json, p_roots json, p_totals json, p_keys json) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  INSERT INTO rated_flush (session_id, flush, shard, rating_id)
    SELECT f.session, f.flush, f.shard, p_rating FROM json_to_recordset(p_flushes) AS f(session uuid, flush bigint, shard smallint);
  WITH root AS (SELECT * FROM json_to_recordset(p_roots) AS r(root uuid, rows integer)),
  position AS (
    INSERT INTO rating_position AS p (account_root_id, rating_seq) SELECT root, 1 FROM root ORDER BY root
      ON CONFLICT (account_root_id) DO UPDATE SET rating_seq = p.rating_seq + 1 RETURNING account_root_id, rating_seq)
  INSERT INTO rated_batch (account_root_id, rating_seq, rating_id, rows)
    SELECT p.account_root_id, p.rating_seq, p_rating, r.rows FROM position p JOIN root r ON r.root = p.account_root_id;

  -- Aggregated per organization: use releases the liability of its grants; what exceeds holds is our loss; lanes are owed their cost.
  WITH total AS (SELECT * FROM json_to_recordset(p_totals) AS t(organization uuid, unit text, charge numeric, rated numeric, cost numeric, cost_currency text)),
  line AS (
    SELECT organization, 'grant_liability' AS account, unit, sum(charge) AS amount FROM total GROUP BY organization, unit
    UNION ALL SELECT organization, 'uncollected', unit, sum(rated - charge) FROM total GROUP BY organization, unit
    UNION ALL SELECT organization, 'usage_revenue', unit, -sum(rated) FROM total GROUP BY organization, unit
    UNION ALL SELECT organization, 'vendor_cost', cost_currency, sum(cost) FROM total GROUP BY organization, cost_currency
    UNION ALL SELECT organization, 'vendor_payable', cost_currency, -sum(cost) FROM total GROUP BY organization, cost_currency),
  posted AS (SELECT organization, account, unit, amount FROM line WHERE amount <> 0),
  entry AS (
    INSERT INTO ledger_transaction (organization_id, id, kind, source_id)
    SELECT organization, uuidv7(), 'usage_rated', p_rating::text FROM (SELECT DISTINCT organization FROM posted ORDER BY 1) o
    RETURNING organization_id, id)
  INSERT INTO ledger_posting (organization_id, transaction_id, line, account, unit, amount)
    SELECT e.organization_id, e.id, row_number() OVER (PARTITION BY e.organization_id), p.account, p.unit, p.amount
    FROM entry e JOIN posted p ON p.organization = e.organization_id;

  INSERT INTO api_key_use AS u (organization_id, api_key_id, last_used_at)
    SELECT k.organization, k.key, to_timestamp(k.used / 1000) FROM json_to_recordset(p_keys) AS k(organization uuid, key uuid, used double precision)
    WHERE EXISTS (SELECT FROM api_key a WHERE a.organization_id = k.organization AND a.id = k.key) ORDER BY 1, 2
    ON CONFLICT (organization_id, api_key_id) DO UPDATE SET last_used_at = greatest(u.last_used_at, excluded.last_used_at);

  DELETE FROM unrated_batch b USING json_to_recordset(p_flushes) AS f(session uuid, flush bigint, shard smallint)
    WHERE b.session_id = f.session AND b.flush = f.flush AND b.shard = f.shard;
END $$;

-- What a rater could not reproduce, kept for repair beside the row itself.
CREATE FUNCTION rating_quarantine(p_organization uuid, p_id uuid, p_attempt smallint, p_session uuid, p_raw bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  INSERT INTO usage_quarantine (organization_id, id, attempt, session_id, reason, raw)
    VALUES (p_organization, p_id, p_attempt, p_session, 'rating_mismatch', p_raw) ON CONFLICT DO NOTHING
$$;

-- How far behind rating is: flushes waiting and the age of the oldest.
CREATE FUNCTION rating_lag() RETURNS TABLE (batches bigint, oldest_seconds double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT count(*), coalesce(extract(epoch FROM kt_now() - min(created_at)), 0)::double precision FROM unrated_batch
$$;

-- ── Row-level security ─────────────────────────────────────────────────────────────────────────────────────────
-- The application sees the rows of the organization that its transaction names, and none without one.
CREATE FUNCTION current_organization() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT nullif(current_setting('kilotoken.organization_id', true), '')::uuid $$;

DO $$
DECLARE t text; f record;
BEGIN
  FOREACH t IN ARRAY ARRAY['organization', 'project', 'api_key', 'api_key_use', 'credit_grant', 'lease', 'refused_ask', 'open_request', 'usage', 'usage_default',
    'usage_quarantine', 'ledger_transaction', 'ledger_posting'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I FOR SELECT TO kilotoken_app USING (%I = current_organization())', t,
      CASE WHEN t = 'organization' THEN 'id' ELSE 'organization_id' END);
    EXECUTE format('CREATE POLICY crossing ON %I TO kilotoken_definer USING (true) WITH CHECK (true)', t);
  END LOOP;
  FOR f IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'usage'::regclass AND c.relname <> 'usage_default' LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', f.relname);
  END LOOP;
END $$;

GRANT SELECT ON database_mark, config_version, model, lane, price_book, price_version, rate, organization, project, api_key, api_key_use,
  credit_grant, lease, open_request, usage, usage_quarantine, ledger_transaction, ledger_posting TO kilotoken_app;

GRANT SELECT ON database_mark, config_version, config_change, model, lane, price_book, price_version, rate, organization, project, api_key TO kilotoken_definer;
GRANT SELECT, INSERT, UPDATE ON session, session_heartbeat, lease, api_key_use, rating_position TO kilotoken_definer;
GRANT SELECT, UPDATE ON credit_grant TO kilotoken_definer;
GRANT SELECT, INSERT, UPDATE, DELETE ON open_request, refused_ask, unrated_batch TO kilotoken_definer;
GRANT SELECT, INSERT ON usage, usage_quarantine, rated_flush, rated_batch, ledger_transaction, ledger_posting TO kilotoken_definer;

-- Functions: the definer owns what crosses organizations; the application may execute the named ones and no other.
DO $$
DECLARE f record;
BEGIN
  EXECUTE format('GRANT kilotoken_definer TO %I WITH SET TRUE', current_user);
  EXECUTE 'GRANT CREATE ON SCHEMA public TO kilotoken_definer';
  FOR f IN SELECT p.oid::regprocedure AS signature, p.prosecdef FROM pg_proc p
           WHERE p.pronamespace = 'public'::regnamespace AND p.proname <> ALL (ARRAY['config_changed', 'catalogue_changed', 'organization_changed']) LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f.signature);
    IF f.prosecdef THEN EXECUTE format('ALTER FUNCTION %s OWNER TO kilotoken_definer', f.signature); END IF;
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO kilotoken_definer', f.signature);
    IF f.prosecdef OR f.signature::text ~ '^(kt_now|uuid_floor|current_organization|grant_balances)\(' THEN
      EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO kilotoken_app', f.signature);
    END IF;
  END LOOP;
  EXECUTE 'REVOKE CREATE ON SCHEMA public FROM kilotoken_definer';
END $$;
