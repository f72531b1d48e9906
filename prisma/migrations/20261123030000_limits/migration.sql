-- Why: limits of requests, tokens, concurrency and money per organization, project, key and end user. As grants are spent
-- by leases, limits are used by slices: a counter's row in the database gives a gateway a slice that it uses from memory.
-- Locks: a moment's ACCESS EXCLUSIVE on api_key for a column without default, SHARE ROW EXCLUSIVE on session for foreign
-- keys. No table is rewritten.
-- Lock order: session, then one organization's limits (an advisory lock), then its slices and counters.

-- ── Definitions ────────────────────────────────────────────────────────────────────────────────────────────────
-- `subject_id`: the project or the key (the first one of those that were rolled); else the organization. A limit on end
-- users holds for each of them. Amounts of tokens and requests are whole. A soft limit warns, a hard one refuses.
CREATE TABLE usage_limit (
  organization_id uuid NOT NULL REFERENCES organization (id),
  id              uuid NOT NULL,
  subject_kind    text NOT NULL CHECK (subject_kind IN ('organization', 'project', 'key', 'end_user')),
  subject_id      uuid NOT NULL,
  measure         text NOT NULL CHECK (measure IN ('requests', 'input_tokens', 'output_tokens', 'tokens', 'concurrency', 'money')),
  unit            text NOT NULL,
  window_kind     text NOT NULL CHECK (window_kind IN ('rolling', 'day', 'week', 'month', 'none')),
  window_ms       bigint NOT NULL,
  amount          numeric(38, 12) NOT NULL CHECK (amount >= 0 AND amount <> 'NaN'),
  mode            text NOT NULL CHECK (mode IN ('hard', 'soft')),
  created_at      timestamptz NOT NULL DEFAULT kt_now(),
  changed_at      timestamptz NOT NULL DEFAULT kt_now(),
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, subject_kind, subject_id, measure, unit, window_kind, window_ms),
  CONSTRAINT unit_of_measure CHECK (CASE measure WHEN 'money' THEN unit ~ '^[A-Z]{3}$' ELSE unit = 'count' AND amount = trunc(amount) END),
  CONSTRAINT window_of_measure CHECK ((measure = 'concurrency') = (window_kind = 'none')),
  -- From a second to 31 days.
  CONSTRAINT window_length CHECK (CASE window_kind WHEN 'rolling' THEN window_ms BETWEEN 1000 AND 2678400000 ELSE window_ms = 0 END)
);

-- ── Counters ───────────────────────────────────────────────────────────────────────────────────────────────────
-- What was taken of a limit by one subject in one window: slices of gateways, and what ended gateways used. A rolling
-- window is kept as short parts, a row each (limit_window). `window_end_ms`: until when what is taken here may be used.
CREATE TABLE limit_counter (
  organization_id uuid NOT NULL,
  limit_id        uuid NOT NULL,
  subject         text NOT NULL,
  window_start_ms bigint NOT NULL,
  window_end_ms   bigint NOT NULL,
  taken           numeric(38, 12) NOT NULL CHECK (taken >= 0),
  -- When no window that can still be asked about holds it.
  expires_at      timestamptz NOT NULL,
  PRIMARY KEY (organization_id, limit_id, subject, window_start_ms),
  FOREIGN KEY (organization_id, limit_id) REFERENCES usage_limit (organization_id, id) ON DELETE CASCADE
) WITH (fillfactor = 50);
CREATE INDEX limit_counter_by_expiry ON limit_counter (organization_id, expires_at);

-- The part of a counter that one gateway may use from memory. `first_usage_id`: no older request can have used it.
CREATE TABLE limit_slice (
  organization_id uuid NOT NULL,
  limit_id        uuid NOT NULL,
  subject         text NOT NULL,
  window_start_ms bigint NOT NULL,
  session_id      uuid NOT NULL REFERENCES session (id),
  amount          numeric(38, 12) NOT NULL CHECK (amount >= 0),
  first_usage_id  uuid NOT NULL,
  -- Whether its session may have something idle of it: free, or reserved by requests that may use less.
  may_return      boolean NOT NULL DEFAULT true,
  recalled_at     timestamptz,
  PRIMARY KEY (organization_id, limit_id, subject, window_start_ms, session_id),
  FOREIGN KEY (organization_id, limit_id, subject, window_start_ms)
    REFERENCES limit_counter (organization_id, limit_id, subject, window_start_ms) ON DELETE CASCADE
) WITH (fillfactor = 50);
CREATE INDEX limit_slice_by_session ON limit_slice (session_id);
CREATE INDEX limit_slice_recalled ON limit_slice (session_id) WHERE recalled_at IS NOT NULL;

-- The last exchange of a session for an organization: executed again it changes nothing, and an earlier one never again.
CREATE TABLE limit_ask (
  organization_id uuid NOT NULL,
  session_id      uuid NOT NULL REFERENCES session (id),
  ask_id          uuid NOT NULL,
  PRIMARY KEY (organization_id, session_id)
) WITH (fillfactor = 50);
CREATE INDEX limit_ask_by_session ON limit_ask (session_id);

-- ── Keys that were rolled ──────────────────────────────────────────────────────────────────────────────────────
-- The first of the keys that a key was rolled from; null for that one. Limits are on it, so rolling resets no window.
ALTER TABLE api_key ADD COLUMN lineage_id uuid;

-- As key_authenticate, which the previous release goes on to call, with the key's lineage and the limits that it is under.
CREATE FUNCTION key_resolve(p_hash bytea)
RETURNS TABLE (organization_id uuid, account_root_id uuid, price_book_id uuid, organization_status text, project_id uuid, api_key_id uuid,
  allowed_models text[], expires_at timestamptz, revoked_at timestamptz, lineage_id uuid, limits json)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT k.organization_id, o.account_root_id, o.price_book_id, o.status, k.project_id, k.id, k.allowed_models, k.expires_at, k.revoked_at,
    coalesce(k.lineage_id, k.id), (
    SELECT json_agg(json_build_object('id', l.id, 'subjectKind', l.subject_kind, 'subjectId', l.subject_id, 'measure', l.measure, 'unit', l.unit,
      'windowKind', l.window_kind, 'windowMs', l.window_ms, 'amount', l.amount::text, 'mode', l.mode) ORDER BY l.id)
    FROM usage_limit l WHERE l.organization_id = k.organization_id AND (l.subject_kind IN ('organization', 'end_user')
      OR (l.subject_kind = 'project' AND l.subject_id = k.project_id) OR (l.subject_kind = 'key' AND l.subject_id = coalesce(k.lineage_id, k.id))))
  FROM api_key k JOIN organization o ON o.id = k.organization_id WHERE k.hash = p_hash
$$;

CREATE FUNCTION limit_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM config_changed('organization', CASE TG_OP WHEN 'DELETE' THEN OLD.organization_id ELSE NEW.organization_id END);
  RETURN NULL;
END $$;
CREATE TRIGGER limit_changed AFTER INSERT OR UPDATE OR DELETE ON usage_limit FOR EACH ROW EXECUTE FUNCTION limit_changed();

-- ── Windows ────────────────────────────────────────────────────────────────────────────────────────────────────
-- The day, week or month of a time zone that holds a moment. Windows follow each other without gap or overlap, also where
-- a clock change skips midnight or has it twice: each begins at the one moment that local midnight is resolved to.
CREATE FUNCTION calendar_window(p_kind text, p_zone text, p_at timestamptz, OUT starts_at timestamptz, OUT ends_at timestamptz)
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_local timestamp := date_trunc(p_kind, p_at AT TIME ZONE p_zone); v_step interval := ('1 ' || p_kind)::interval;
BEGIN
  IF v_local AT TIME ZONE p_zone > p_at THEN v_local := v_local - v_step; END IF;
  IF (v_local + v_step) AT TIME ZONE p_zone <= p_at THEN v_local := v_local + v_step; END IF;
  starts_at := v_local AT TIME ZONE p_zone;
  ends_at := (v_local + v_step) AT TIME ZONE p_zone;
END $$;

-- Which counter is taken from at a moment: its key and end, from which moment on it may be used, `counted_from_ms` (every
-- counter that ends after it counts against the limit), and for how long a counter of this limit counts after its end.
--
-- A rolling window and half a second, for what clocks of gateways differ by, are cut into parts. What is taken in one part
-- is counted in the next and may be used until that one ends, so a gateway has a part's length to take ahead. An interval
-- of the window's length touches at most parts + 1 of them, whose uses are counted in at most parts + 2. Calendar windows
-- that overlap, as after a change of the time zone, count together.
CREATE FUNCTION limit_window(l usage_limit, p_zone text, p_now timestamptz, OUT start_ms bigint, OUT from_ms bigint, OUT end_ms bigint,
  OUT counted_from_ms bigint, OUT counts_for_ms bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  v_span_ms bigint := l.window_ms + 500;
  v_parts bigint := least(30, greatest(1, v_span_ms / 500));
  v_part_ms bigint := ceil(v_span_ms::numeric / v_parts);
  v_part bigint := floor(extract(epoch FROM p_now) * 1000 / v_part_ms) + 1;
BEGIN
  IF l.window_kind = 'none' THEN
    start_ms := 0; from_ms := 0; end_ms := 8640000000000000; counted_from_ms := 0; counts_for_ms := 0;
  ELSIF l.window_kind = 'rolling' THEN
    start_ms := v_part * v_part_ms; from_ms := 0; end_ms := start_ms + v_part_ms;
    counted_from_ms := start_ms - (v_parts + 1) * v_part_ms; counts_for_ms := v_parts * v_part_ms;
  ELSE
    SELECT ceil(extract(epoch FROM w.starts_at) * 1000), ceil(extract(epoch FROM w.ends_at) * 1000) INTO start_ms, end_ms
      FROM calendar_window(l.window_kind, p_zone, p_now) w;
    from_ms := start_ms; counted_from_ms := start_ms; counts_for_ms := 0;
  END IF;
END $$;

-- ── Exchange ───────────────────────────────────────────────────────────────────────────────────────────────────
-- What a session keeps of its slices of a counter, p_keep: [{start, keep, open, close}], absolute amounts. Of an open
-- one more may come back; a closed one is gone, what it keeps stays counted.
CREATE FUNCTION limit_keep(p_session uuid, p_organization uuid, p_limit uuid, p_subject text, p_keep json) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE k record; v_had numeric;
BEGIN
  FOR k IN SELECT * FROM json_to_recordset(p_keep) AS g(start bigint, keep numeric, open boolean, close boolean) ORDER BY g.start LOOP
    SELECT s.amount INTO v_had FROM limit_slice s WHERE s.organization_id = p_organization AND s.limit_id = p_limit AND s.subject = p_subject
      AND s.window_start_ms = k.start AND s.session_id = p_session FOR UPDATE;
    CONTINUE WHEN NOT FOUND;
    IF k.close THEN
      DELETE FROM limit_slice WHERE organization_id = p_organization AND limit_id = p_limit AND subject = p_subject AND window_start_ms = k.start AND session_id = p_session;
    ELSE
      UPDATE limit_slice SET amount = least(v_had, k.keep), may_return = k.open, recalled_at = NULL
        WHERE organization_id = p_organization AND limit_id = p_limit AND subject = p_subject AND window_start_ms = k.start AND session_id = p_session;
    END IF;
    UPDATE limit_counter SET taken = taken - greatest(0, v_had - k.keep)
      WHERE organization_id = p_organization AND limit_id = p_limit AND subject = p_subject AND window_start_ms = k.start;
  END LOOP;
  DELETE FROM limit_counter c WHERE c.organization_id = p_organization AND c.limit_id = p_limit AND c.subject = p_subject AND c.taken = 0
    AND NOT EXISTS (SELECT FROM limit_slice s WHERE s.organization_id = c.organization_id AND s.limit_id = c.limit_id AND s.subject = c.subject AND s.window_start_ms = c.window_start_ms);
END $$;

-- Moves p_need plus up to p_spare to the session where the limit has them; less, where it has p_least. The spare part is at
-- most an eighth of what would remain. If p_need is not there, what others hold unused is wanted back.
CREATE FUNCTION limit_take(p_session uuid, l usage_limit, p_subject text, p_first_usage uuid, p_need numeric, p_least numeric, p_spare numeric,
  p_zone text, p_now timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE w record; v_left numeric; v_take numeric := 0;
BEGIN
  SELECT * INTO w FROM limit_window(l, p_zone, p_now);
  SELECT l.amount - coalesce(sum(c.taken), 0) INTO v_left FROM limit_counter c
    WHERE c.organization_id = l.organization_id AND c.limit_id = l.id AND c.subject = p_subject AND c.window_end_ms > w.counted_from_ms;
  IF v_left > 0 AND v_left >= p_least THEN
    v_take := least(v_left, p_need + least(p_spare, greatest(0, trunc((v_left - p_need) / 8, CASE l.measure WHEN 'money' THEN 12 ELSE 0 END))));
  END IF;
  IF v_take > 0 THEN
    INSERT INTO limit_counter AS c (organization_id, limit_id, subject, window_start_ms, window_end_ms, taken, expires_at)
      VALUES (l.organization_id, l.id, p_subject, w.start_ms, w.end_ms, v_take, CASE l.window_kind WHEN 'none' THEN 'infinity'::timestamptz
        ELSE 'epoch'::timestamptz + (w.end_ms + w.counts_for_ms) * interval '1 millisecond' + CASE l.window_kind WHEN 'rolling' THEN interval '1 minute' ELSE interval '1 day' END END)
      ON CONFLICT (organization_id, limit_id, subject, window_start_ms) DO UPDATE SET taken = c.taken + v_take;
    INSERT INTO limit_slice AS s (organization_id, limit_id, subject, window_start_ms, session_id, amount, first_usage_id)
      VALUES (l.organization_id, l.id, p_subject, w.start_ms, p_session, v_take, p_first_usage)
      ON CONFLICT (organization_id, limit_id, subject, window_start_ms, session_id) DO UPDATE SET amount = s.amount + v_take, may_return = true;
  END IF;
  IF v_left < p_need THEN
    UPDATE limit_slice SET recalled_at = p_now WHERE organization_id = l.organization_id AND limit_id = l.id AND subject = p_subject
      AND session_id <> p_session AND recalled_at IS NULL AND may_return AND window_start_ms >= w.counted_from_ms;
  END IF;
END $$;

-- A budget that stopped a request, or let it pass with a warning, is told once a subject and window.
CREATE FUNCTION limit_event(l usage_limit, p_subject text, p_zone text, p_now timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_start_ms bigint; v_end_ms bigint;
BEGIN
  IF l.measure <> 'money' AND (l.window_kind IN ('none', 'rolling') OR l.measure = 'requests') THEN RETURN; END IF;
  SELECT w.start_ms, w.end_ms INTO v_start_ms, v_end_ms FROM limit_window(l, p_zone, p_now) w;
  IF l.window_kind = 'rolling' THEN
    v_start_ms := floor(extract(epoch FROM p_now) * 1000 / l.window_ms) * l.window_ms;
    v_end_ms := v_start_ms + l.window_ms;
  END IF;
  PERFORM outbox_put(l.organization_id, CASE l.mode WHEN 'soft' THEN 'budget.warned' ELSE 'budget.reached' END,
    l.id::text || ':' || md5(p_subject) || ':' || v_start_ms::text, jsonb_build_object('limit_id', l.id, 'subject_kind', l.subject_kind, 'subject', p_subject,
      'measure', l.measure, 'unit', l.unit, 'window', l.window_kind, 'amount', trim_scale(l.amount)::text,
      'window_start', iso_moment('epoch'::timestamptz + v_start_ms * interval '1 millisecond'), 'window_end', iso_moment('epoch'::timestamptz + v_end_ms * interval '1 millisecond')));
END $$;

-- How a counter stands for a session: {limit, subject, amount, remaining, pending, freeAtMs, resetAtMs, slices}. `pending`:
-- others were asked back what they do not use, and have not answered yet; a process that is gone is not waited for.
-- `freeAtMs`: when p_least will have left the window; `resetAtMs`: when all will have. Null where no time says so.
CREATE FUNCTION limit_state(p_session uuid, l usage_limit, p_subject text, p_least numeric, p_zone text, p_now timestamptz) RETURNS json
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE w record; c record;
BEGIN
  SELECT * INTO w FROM limit_window(l, p_zone, p_now);
  SELECT coalesce(sum(n.taken), 0) AS taken, max(n.window_end_ms) FILTER (WHERE n.taken > 0) AS last_ms,
      min(n.window_end_ms) FILTER (WHERE l.amount - n.later >= p_least) AS free_ms INTO c
    FROM (SELECT taken, window_end_ms, sum(taken) OVER (ORDER BY window_start_ms DESC) - taken AS later FROM limit_counter
      WHERE organization_id = l.organization_id AND limit_id = l.id AND subject = p_subject AND window_end_ms > w.counted_from_ms) n;
  RETURN json_build_object('limit', l.id, 'subject', p_subject, 'amount', l.amount::text, 'remaining', greatest(0, l.amount - c.taken)::text,
    'pending', EXISTS (SELECT FROM limit_slice WHERE organization_id = l.organization_id AND limit_id = l.id AND subject = p_subject
      AND session_id <> p_session AND recalled_at > p_now - interval '1 second' AND window_start_ms >= w.counted_from_ms),
    'freeAtMs', CASE WHEN l.window_kind <> 'none' THEN c.free_ms + w.counts_for_ms END,
    'resetAtMs', CASE WHEN l.window_kind <> 'none' THEN c.last_ms + w.counts_for_ms END,
    'slices', (SELECT coalesce(json_agg(json_build_object('start', s.window_start_ms, 'from', CASE WHEN l.window_kind IN ('rolling', 'none') THEN 0 ELSE s.window_start_ms END,
        'until', n.window_end_ms, 'amount', s.amount::text) ORDER BY s.window_start_ms), '[]'::json)
      FROM limit_slice s JOIN limit_counter n ON n.organization_id = s.organization_id AND n.limit_id = s.limit_id AND n.subject = s.subject AND n.window_start_ms = s.window_start_ms
      WHERE s.organization_id = l.organization_id AND s.limit_id = l.id AND s.subject = p_subject AND s.session_id = p_session));
END $$;

-- A session gives back what it does not need of an organization's limits and takes what it needs: one call at a time, with
-- ascending ids. p_rows: [{limit, subject, keep, need, least, spare, stopped}], one per counter, `keep` naming all of its
-- slices; `stopped`: it has refused a request, or let it pass with a warning.
-- Executed again it changes nothing and answers how things stand. Answers a row per given one; null for a limit that is gone.
CREATE FUNCTION limit_exchange(p_session uuid, p_organization uuid, p_ask uuid, p_first_usage uuid, p_rows json) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_now timestamptz; v_zone text; v_first boolean; v_states json[] := '{}'; l usage_limit; r record;
BEGIN
  PERFORM session_fence(p_session);
  PERFORM pg_advisory_xact_lock(hashtextextended('limits' || p_organization::text, 0));
  -- The moment at which the lock was taken: windows are taken from in their order.
  v_now := kt_now() + (clock_timestamp() - now());
  INSERT INTO limit_ask AS a (organization_id, session_id, ask_id) VALUES (p_organization, p_session, p_ask)
    ON CONFLICT (organization_id, session_id) DO UPDATE SET ask_id = excluded.ask_id WHERE a.ask_id < excluded.ask_id;
  v_first := FOUND;
  SELECT o.time_zone INTO v_zone FROM organization o WHERE o.id = p_organization;

  FOR r IN SELECT * FROM json_to_recordset(p_rows) AS r("limit" uuid, subject text, keep json, need numeric, least numeric, spare numeric, stopped boolean) LOOP
    SELECT * INTO l FROM usage_limit u WHERE u.organization_id = p_organization AND u.id = r.limit;
    IF NOT FOUND THEN v_states := v_states || 'null'::json; CONTINUE; END IF;
    IF v_first THEN
      PERFORM limit_keep(p_session, p_organization, r.limit, r.subject, r.keep);
      IF r.need + r.spare > 0 THEN PERFORM limit_take(p_session, l, r.subject, p_first_usage, r.need, r.least, r.spare, v_zone, v_now); END IF;
      IF r.stopped THEN PERFORM limit_event(l, r.subject, v_zone, v_now); END IF;
    END IF;
    v_states := v_states || limit_state(p_session, l, r.subject, r.least, v_zone, v_now);
  END LOOP;

  DELETE FROM limit_counter WHERE (organization_id, limit_id, subject, window_start_ms) IN (
    SELECT organization_id, limit_id, subject, window_start_ms FROM limit_counter WHERE organization_id = p_organization AND expires_at < v_now LIMIT 500);
  RETURN array_to_json(v_states);
END $$;

-- ── Sessions that end ──────────────────────────────────────────────────────────────────────────────────────────
-- Gives back what a reaped session held. Its running requests are over, so is their concurrency. What it used of calendar
-- windows in tokens and money is what its usage rows say. How many requests it let in, and what it used of rolling windows,
-- is not known where it left no row: that stays counted until it leaves the window, so that no limit is ever exceeded.
CREATE FUNCTION limit_reap(p_session uuid) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_organization uuid; v_slices integer;
BEGIN
  FOR v_organization IN SELECT DISTINCT organization_id FROM limit_slice WHERE session_id = p_session ORDER BY 1 LOOP
    PERFORM pg_advisory_xact_lock(hashtextextended('limits' || v_organization::text, 0));
  END LOOP;
  WITH slice AS MATERIALIZED (
    SELECT s.*, n.window_end_ms, l.subject_kind, l.measure, l.unit, l.window_kind,
      l.window_kind IN ('day', 'week', 'month') AND l.measure <> 'requests' AS is_known
    FROM limit_slice s JOIN usage_limit l ON l.organization_id = s.organization_id AND l.id = s.limit_id
    JOIN limit_counter n ON n.organization_id = s.organization_id AND n.limit_id = s.limit_id AND n.subject = s.subject AND n.window_start_ms = s.window_start_ms
    WHERE s.session_id = p_session),
  used AS (
    SELECT s.organization_id, s.limit_id, s.subject, s.window_start_ms, sum(CASE s.measure
        WHEN 'money' THEN CASE WHEN u.unit = s.unit THEN u.charge ELSE 0 END
        WHEN 'input_tokens' THEN t.input WHEN 'output_tokens' THEN t.output ELSE t.input + t.output END) AS amount
    FROM (SELECT DISTINCT ON (organization_id) organization_id, first_usage_id FROM slice WHERE is_known ORDER BY organization_id, first_usage_id) o
    JOIN usage u ON u.organization_id = o.organization_id AND u.session_id = p_session AND u.id >= o.first_usage_id
    CROSS JOIN LATERAL (SELECT coalesce(sum(n.tokens) FILTER (WHERE n.is_output), 0) AS output, coalesce(sum(n.tokens) FILTER (WHERE NOT n.is_output), 0) AS input
      FROM (SELECT CASE jsonb_typeof(value) WHEN 'number' THEN value::numeric END AS tokens, key IN ('output', 'reasoning', 'audio_out', 'image_out') AS is_output
        FROM jsonb_each(u.counts)) n) t
    LEFT JOIN api_key k ON k.organization_id = u.organization_id AND k.id = u.api_key_id
    CROSS JOIN LATERAL (VALUES ('organization', u.organization_id::text), ('project', u.project_id::text),
      ('key', coalesce(k.lineage_id, u.api_key_id)::text), ('end_user', coalesce(u.end_user, ''))) AS of(kind, subject)
    JOIN slice s ON s.is_known AND s.organization_id = u.organization_id AND s.subject_kind = of.kind AND s.subject = of.subject AND u.id >= s.first_usage_id
      AND u.admitted_at >= 'epoch'::timestamptz + s.window_start_ms * interval '1 millisecond' AND u.admitted_at < 'epoch'::timestamptz + s.window_end_ms * interval '1 millisecond'
    GROUP BY 1, 2, 3, 4)
  UPDATE limit_counter c SET taken = greatest(0, c.taken - s.amount + CASE WHEN s.is_known THEN least(s.amount, coalesce(u.amount, 0)) WHEN s.window_kind = 'none' THEN 0 ELSE s.amount END)
  FROM slice s LEFT JOIN used u ON u.organization_id = s.organization_id AND u.limit_id = s.limit_id AND u.subject = s.subject AND u.window_start_ms = s.window_start_ms
  WHERE c.organization_id = s.organization_id AND c.limit_id = s.limit_id AND c.subject = s.subject AND c.window_start_ms = s.window_start_ms;
  DELETE FROM limit_slice WHERE session_id = p_session;
  GET DIAGNOSTICS v_slices = ROW_COUNT;
  DELETE FROM limit_ask WHERE session_id = p_session;
  RETURN v_slices;
END $$;

-- As before; limits are given back at the end.
CREATE OR REPLACE FUNCTION session_reap(p_session uuid) RETURNS json
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
  PERFORM limit_reap(p_session);
  RETURN json_build_object('reaped', true, 'billed', v_billed, 'leases', v_closed);
END $$;

-- As before, and what is wanted back of limits.
CREATE OR REPLACE FUNCTION gateway_poll(p_session uuid, p_since bigint) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT json_build_object(
    'alive', EXISTS (SELECT FROM session WHERE id = p_session AND reaped_at IS NULL),
    'version', v.version::text,
    'nowMs', extract(epoch FROM kt_now()) * 1000 + extract(epoch FROM clock_timestamp() - now()) * 1000,
    'changes', CASE WHEN v.version - p_since <= 1000 THEN
      (SELECT coalesce(json_agg(json_build_object('kind', c.kind, 'organizationId', c.organization_id) ORDER BY c.version), '[]'::json)
       FROM config_change c WHERE c.version > p_since AND c.version <= v.version) END,
    'recalled', (SELECT coalesce(json_agg(json_build_object('organizationId', l.organization_id, 'leaseId', l.id)), '[]'::json)
      FROM (SELECT organization_id, id FROM lease WHERE session_id = p_session AND closed_at IS NULL AND recalled_at IS NOT NULL LIMIT 1000) l),
    'recalledLimits', (SELECT coalesce(json_agg(json_build_object('organizationId', s.organization_id, 'limitId', s.limit_id, 'subject', s.subject)), '[]'::json)
      FROM (SELECT DISTINCT organization_id, limit_id, subject FROM limit_slice WHERE session_id = p_session AND recalled_at IS NOT NULL LIMIT 1000) s))
  FROM config_version v
$$;

-- ── Row-level security and rights ──────────────────────────────────────────────────────────────────────────────
DO $$
DECLARE t text; f record;
BEGIN
  FOREACH t IN ARRAY ARRAY['usage_limit', 'limit_counter', 'limit_slice', 'limit_ask'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I FOR SELECT TO kilotoken_app USING (organization_id = current_organization())', t);
    EXECUTE format('CREATE POLICY crossing ON %I TO kilotoken_definer USING (true) WITH CHECK (true)', t);
  END LOOP;
  EXECUTE 'GRANT SELECT ON usage_limit, limit_counter, limit_slice TO kilotoken_app';
  EXECUTE 'GRANT SELECT ON usage_limit TO kilotoken_definer';
  EXECUTE 'GRANT SELECT, INSERT, UPDATE, DELETE ON limit_counter, limit_slice, limit_ask TO kilotoken_definer';

  EXECUTE format('GRANT kilotoken_definer TO %I WITH SET TRUE', current_user);
  EXECUTE 'GRANT CREATE ON SCHEMA public TO kilotoken_definer';
  FOR f IN SELECT p.oid::regprocedure AS signature, p.prosecdef, p.prorettype = 'trigger'::regtype AS is_trigger FROM pg_proc p
           WHERE p.pronamespace = 'public'::regnamespace AND p.proname IN ('key_resolve', 'limit_changed', 'calendar_window', 'limit_window', 'limit_keep',
             'limit_take', 'limit_event', 'limit_state', 'limit_exchange', 'limit_reap') LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f.signature);
    CONTINUE WHEN f.is_trigger;
    IF f.prosecdef THEN EXECUTE format('ALTER FUNCTION %s OWNER TO kilotoken_definer', f.signature); END IF;
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO kilotoken_definer', f.signature);
    IF f.prosecdef THEN EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO kilotoken_app', f.signature); END IF;
  END LOOP;
  EXECUTE 'REVOKE CREATE ON SCHEMA public FROM kilotoken_definer';
END $$;
