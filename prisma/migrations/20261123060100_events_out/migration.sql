-- Why: what is made of events. A job is a row here before it is in any queue: the queue's store may be flushed, frozen or
-- killed, and its jobs are rebuilt from these rows. Customers' webhooks, notices of a low balance, nightly work.
-- Locks: nothing that exists but a moment's SHARE ROW EXCLUSIVE on organization, for references to it.
-- Lock order in every function: outbox_job, webhook_endpoint, balance_notice, outbox_event.

-- The last number given to an organization's events.
CREATE TABLE outbox_position (
  organization_id uuid PRIMARY KEY,
  sequence        bigint NOT NULL CHECK (sequence > 0)
) WITH (fillfactor = 50);

-- Something to be done for an event. `attempts` counts runs that began, so that a job whose process dies each time ends too.
-- `next_at`: when it is handed to the queue, again if nothing was heard of it. A run holds the job by its `claim_id`; a run
-- that outlives `claimed_until` has lost it, and what it reports changes nothing. `handed_at`: since when the queue has it, or a run.
CREATE TABLE outbox_job (
  organization_id uuid NOT NULL,
  id              uuid NOT NULL,
  queue           text NOT NULL CHECK (queue ~ '^[a-z]+-[a-z]+$'),
  key             text NOT NULL,
  event_id        uuid NOT NULL,
  payload         jsonb NOT NULL CHECK (jsonb_typeof(payload) = 'object'),
  status          text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'done', 'dead')),
  attempts        smallint NOT NULL DEFAULT 0 CHECK (attempts >= 0 AND attempts <= attempts_max),
  attempts_max    smallint NOT NULL CHECK (attempts_max BETWEEN 1 AND 100),
  next_at         timestamptz NOT NULL DEFAULT kt_now(),
  handed_at       timestamptz,
  claim_id        uuid,
  claimed_until   timestamptz,
  outcome         jsonb,
  created_at      timestamptz NOT NULL DEFAULT kt_now(),
  finished_at     timestamptz,
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, queue, key),
  FOREIGN KEY (organization_id, event_id) REFERENCES outbox_event (organization_id, id),
  CONSTRAINT finished_or_waiting CHECK ((status = 'waiting') = (finished_at IS NULL))
) WITH (fillfactor = 70);
CREATE INDEX outbox_job_next ON outbox_job (organization_id, queue, next_at, id) WHERE status = 'waiting';
CREATE INDEX outbox_job_handed ON outbox_job (organization_id, queue) WHERE status = 'waiting' AND handed_at IS NOT NULL;
CREATE INDEX outbox_job_finished ON outbox_job (finished_at) WHERE status <> 'waiting';
CREATE INDEX outbox_job_by_event ON outbox_job (organization_id, event_id);

-- Where a customer wants events. `kinds`: null is every kind. `failing_since`: the first failure since the last success.
CREATE TABLE webhook_endpoint (
  organization_id uuid NOT NULL REFERENCES organization (id),
  id              uuid NOT NULL,
  url             text NOT NULL CHECK (length(url) BETWEEN 8 AND 2000),
  description     text NOT NULL DEFAULT '',
  kinds           text[] CHECK (cardinality(kinds) > 0),
  created_at      timestamptz NOT NULL DEFAULT kt_now(),
  failing_since   timestamptz,
  disabled_at     timestamptz,
  disabled_reason text CHECK (disabled_reason IN ('failing', 'operator')),
  PRIMARY KEY (organization_id, id),
  CONSTRAINT disabled_for_a_reason CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL))
) WITH (fillfactor = 70);

-- Apart from the endpoint, since the application may read endpoints but no secrets. After a rotation the old one signs too,
-- until it expires.
CREATE TABLE webhook_secret (
  organization_id uuid NOT NULL,
  endpoint_id     uuid NOT NULL,
  id              uuid NOT NULL,
  secret          text NOT NULL CHECK (secret ~ '^whsec_[A-Za-z0-9+/]{32,88}={0,2}$'),
  created_at      timestamptz NOT NULL DEFAULT kt_now(),
  expires_at      timestamptz,
  PRIMARY KEY (organization_id, endpoint_id, id),
  FOREIGN KEY (organization_id, endpoint_id) REFERENCES webhook_endpoint (organization_id, id)
);

-- Where an organization reads what it should know.
CREATE TABLE notice_address (
  organization_id uuid PRIMARY KEY REFERENCES organization (id),
  email           text NOT NULL CHECK (length(email) BETWEEN 3 AND 254 AND email !~ '[[:cntrl:][:space:]]'),
  updated_at      timestamptz NOT NULL DEFAULT kt_now()
);

-- Below which balance of a unit the organization is told. `crossings` names each fall below it: told once, and armed again
-- when the balance has risen. A row whose threshold was taken away stays, so that no crossing is named twice.
CREATE TABLE balance_notice (
  organization_id uuid NOT NULL REFERENCES organization (id),
  unit            text NOT NULL,
  threshold       numeric(38, 12) CHECK (threshold > 0 AND threshold <> 'NaN'),
  is_low          boolean NOT NULL DEFAULT false,
  crossings       bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (organization_id, unit)
) WITH (fillfactor = 70);

-- One row a night and name: who claims it runs it, until it is finished.
CREATE TABLE nightly_run (
  name          text NOT NULL CHECK (name ~ '^[a-z][a-z-]{0,62}$'),
  night         date NOT NULL,
  attempts      smallint NOT NULL,
  claim_id      uuid NOT NULL,
  claimed_until timestamptz NOT NULL,
  started_at    timestamptz NOT NULL DEFAULT kt_now(),
  finished_at   timestamptz,
  outcome       jsonb,
  PRIMARY KEY (name, night)
);

-- ── Dispatching ────────────────────────────────────────────────────────────────────────────────────────────────
-- Numbers waiting events in the order of their ids and makes their jobs: one a matching webhook endpoint, and one mail to the
-- organization's notice address where the kind is in p_mailed. One transaction, one dispatcher at a time: an event whose
-- cause was committed before another's began has the smaller number. Answers how many events it took.
CREATE FUNCTION outbox_dispatch(p_limit integer, p_mailed text[], p_webhook_attempts smallint, p_mail_attempts smallint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_taken integer;
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('outbox_dispatch', 0)) THEN RETURN 0; END IF;
  WITH waiting AS MATERIALIZED (
    SELECT organization_id, id, kind, row_number() OVER (PARTITION BY organization_id ORDER BY id) AS place
    FROM (SELECT organization_id, id, kind FROM outbox_event WHERE sequence IS NULL ORDER BY id LIMIT p_limit) o),
  position AS (
    INSERT INTO outbox_position AS p (organization_id, sequence) SELECT organization_id, count(*) FROM waiting GROUP BY 1 ORDER BY 1
      ON CONFLICT (organization_id) DO UPDATE SET sequence = p.sequence + excluded.sequence
      RETURNING organization_id, sequence),
  many AS (SELECT organization_id, count(*) AS events FROM waiting GROUP BY 1),
  numbered AS (
    UPDATE outbox_event o SET sequence = p.sequence - m.events + w.place
    FROM waiting w JOIN position p ON p.organization_id = w.organization_id JOIN many m ON m.organization_id = w.organization_id
    WHERE o.organization_id = w.organization_id AND o.id = w.id),
  due AS (
    SELECT w.organization_id, w.id AS event_id, 'deliver-webhook' AS queue, w.id || ':' || e.id AS key,
      jsonb_build_object('endpoint_id', e.id) AS payload, p_webhook_attempts AS attempts_max
    FROM waiting w JOIN webhook_endpoint e ON e.organization_id = w.organization_id
    WHERE e.disabled_at IS NULL AND (e.kinds IS NULL OR w.kind = ANY (e.kinds))
    UNION ALL
    SELECT w.organization_id, w.id, 'send-mail', w.id::text, jsonb_build_object('address', a.email), p_mail_attempts
    FROM waiting w JOIN notice_address a ON a.organization_id = w.organization_id WHERE w.kind = ANY (p_mailed)),
  made AS (
    INSERT INTO outbox_job (organization_id, id, queue, key, event_id, payload, attempts_max)
    SELECT organization_id, uuidv7(), queue, key, event_id, payload, attempts_max FROM due ORDER BY event_id
    ON CONFLICT (organization_id, queue, key) DO NOTHING)
  SELECT count(*) INTO v_taken FROM waiting;
  RETURN v_taken;
END $$;

-- ── Jobs ───────────────────────────────────────────────────────────────────────────────────────────────────────
-- Jobs that are to be handed to the queue now, in order; each is due again after p_silence_ms unless a run claims it. Of one
-- organization at most p_per_organization are in a queue and its runs at a time: whoever's receivers hang holds up nobody else.
-- A job whose last run ended without a word is dead.
CREATE FUNCTION outbox_jobs_due(p_limit integer, p_per_organization integer, p_silence_ms integer)
RETURNS TABLE (organization_id uuid, id uuid, queue text, attempts smallint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  RETURN QUERY
  -- From organization to organization by the index, however many jobs one has.
  WITH RECURSIVE lane (organization_id, queue) AS (
    (SELECT j.organization_id, j.queue FROM outbox_job j WHERE j.status = 'waiting' ORDER BY j.organization_id, j.queue LIMIT 1)
    UNION ALL
    SELECT n.organization_id, n.queue FROM lane l CROSS JOIN LATERAL (
      SELECT j.organization_id, j.queue FROM outbox_job j WHERE j.status = 'waiting' AND (j.organization_id, j.queue) > (l.organization_id, l.queue)
      ORDER BY j.organization_id, j.queue LIMIT 1) n),
  room AS (
    SELECT l.organization_id, l.queue, greatest(0, p_per_organization - (
      SELECT count(*) FROM outbox_job j WHERE j.organization_id = l.organization_id AND j.queue = l.queue AND j.status = 'waiting'
        AND j.handed_at IS NOT NULL AND j.next_at > kt_now())) AS jobs FROM lane l),
  due AS (
    SELECT d.organization_id, d.id FROM room r CROSS JOIN LATERAL (
      SELECT j.organization_id, j.id, j.next_at FROM outbox_job j
      WHERE j.organization_id = r.organization_id AND j.queue = r.queue AND j.status = 'waiting' AND j.next_at <= kt_now()
      ORDER BY j.next_at, j.id LIMIT r.jobs FOR UPDATE SKIP LOCKED) d
    ORDER BY d.next_at, d.id LIMIT p_limit),
  taken AS (
    UPDATE outbox_job j SET
      next_at = kt_now() + make_interval(secs => p_silence_ms / 1000.0), handed_at = kt_now(), claim_id = NULL, claimed_until = NULL,
      status = CASE WHEN j.attempts >= j.attempts_max THEN 'dead' ELSE 'waiting' END,
      finished_at = CASE WHEN j.attempts >= j.attempts_max THEN kt_now() END,
      outcome = CASE WHEN j.attempts >= j.attempts_max THEN jsonb_build_object('ok', false, 'reason', 'the run ended without a word') ELSE j.outcome END
    FROM due d WHERE j.organization_id = d.organization_id AND j.id = d.id
    RETURNING j.organization_id, j.id, j.queue, j.attempts, j.status)
  SELECT t.organization_id, t.id, t.queue, t.attempts FROM taken t WHERE t.status = 'waiting' ORDER BY t.id;
END $$;

-- Begins the attempt after p_attempts earlier ones. No row: another run has it, or had it; there is nothing to do.
CREATE FUNCTION outbox_job_claim(p_organization uuid, p_id uuid, p_attempts smallint, p_claim uuid, p_claim_ms integer)
RETURNS TABLE (queue text, event_id uuid, payload jsonb, attempts smallint, attempts_max smallint)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  UPDATE outbox_job j SET attempts = j.attempts + 1, claim_id = p_claim,
    claimed_until = kt_now() + make_interval(secs => p_claim_ms / 1000.0), next_at = kt_now() + make_interval(secs => p_claim_ms / 1000.0)
  WHERE j.organization_id = p_organization AND j.id = p_id AND j.status = 'waiting' AND j.attempts = p_attempts AND j.attempts < j.attempts_max
    AND (j.claimed_until IS NULL OR j.claimed_until <= kt_now())
  RETURNING j.queue, j.event_id, j.payload, j.attempts, j.attempts_max
$$;

-- Ends an attempt: done, to be tried again after p_retry_ms, or dead where there is no further attempt or p_retry_ms is null.
-- Answers the job's status; null when this run has lost the job meanwhile, and nothing changed.
CREATE FUNCTION outbox_job_end(p_organization uuid, p_id uuid, p_claim uuid, p_done boolean, p_outcome jsonb, p_retry_ms bigint) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  UPDATE outbox_job j SET outcome = p_outcome, handed_at = NULL, claim_id = NULL, claimed_until = NULL,
    next_at = CASE WHEN p_done OR p_retry_ms IS NULL THEN j.next_at ELSE kt_now() + make_interval(secs => p_retry_ms / 1000.0) END,
    status = CASE WHEN p_done THEN 'done' WHEN p_retry_ms IS NULL OR j.attempts >= j.attempts_max THEN 'dead' ELSE 'waiting' END,
    finished_at = CASE WHEN p_done OR p_retry_ms IS NULL OR j.attempts >= j.attempts_max THEN kt_now() END
  WHERE j.organization_id = p_organization AND j.id = p_id AND j.claim_id = p_claim AND j.status = 'waiting'
  RETURNING j.status
$$;

-- How much waits: events that are not dispatched, jobs per queue and status, and the age of the oldest of each.
CREATE FUNCTION outbox_backlog() RETURNS TABLE (queue text, status text, count bigint, oldest_seconds double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT 'outbox', 'waiting', count(*), coalesce(extract(epoch FROM kt_now() - min(created_at)), 0)::double precision FROM outbox_event WHERE sequence IS NULL
  UNION ALL
  SELECT j.queue, j.status, count(*), coalesce(extract(epoch FROM kt_now() - min(j.created_at)), 0)::double precision
  FROM outbox_job j WHERE j.status <> 'done' GROUP BY j.queue, j.status
$$;

-- Forgets what ended p_days ago: finished jobs, then events that were dispatched and have no job. Answers how many rows went.
CREATE FUNCTION outbox_prune(p_days integer, p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_jobs integer; v_events integer; v_end timestamptz := kt_now() - make_interval(days => p_days);
BEGIN
  DELETE FROM outbox_job WHERE (organization_id, id) IN (
    SELECT j.organization_id, j.id FROM outbox_job j WHERE j.status <> 'waiting' AND j.finished_at < v_end LIMIT p_limit FOR UPDATE SKIP LOCKED);
  GET DIAGNOSTICS v_jobs = ROW_COUNT;
  DELETE FROM outbox_event WHERE (organization_id, id) IN (
    SELECT e.organization_id, e.id FROM outbox_event e WHERE e.sequence IS NOT NULL AND e.created_at < v_end
      AND NOT EXISTS (SELECT FROM outbox_job j WHERE j.organization_id = e.organization_id AND j.event_id = e.id) LIMIT p_limit);
  GET DIAGNOSTICS v_events = ROW_COUNT;
  RETURN v_jobs + v_events;
END $$;

-- ── Webhooks ───────────────────────────────────────────────────────────────────────────────────────────────────
-- All that one delivery needs. The secrets that are valid now, the newest first.
CREATE FUNCTION webhook_delivery(p_organization uuid, p_endpoint uuid, p_event uuid)
RETURNS TABLE (url text, disabled boolean, secrets text[], kind text, sequence bigint, created_at timestamptz, payload jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT w.url, w.disabled_at IS NOT NULL,
    ARRAY(SELECT s.secret FROM webhook_secret s WHERE s.organization_id = w.organization_id AND s.endpoint_id = w.id
      AND (s.expires_at IS NULL OR s.expires_at > kt_now()) ORDER BY s.expires_at DESC NULLS FIRST, s.id DESC),
    e.kind, e.sequence, e.created_at, e.payload
  FROM webhook_endpoint w JOIN outbox_event e ON e.organization_id = w.organization_id
  WHERE w.organization_id = p_organization AND w.id = p_endpoint AND e.id = p_event
$$;

-- Notes how an attempt ended. An endpoint that only failed for p_disable_after_ms is disabled, and its organization is told.
CREATE FUNCTION webhook_attempted(p_organization uuid, p_endpoint uuid, p_ok boolean, p_disable_after_ms bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE w webhook_endpoint;
BEGIN
  IF p_ok THEN
    UPDATE webhook_endpoint SET failing_since = NULL WHERE organization_id = p_organization AND id = p_endpoint AND failing_since IS NOT NULL;
    RETURN false;
  END IF;
  UPDATE webhook_endpoint SET failing_since = kt_now() WHERE organization_id = p_organization AND id = p_endpoint AND failing_since IS NULL;
  UPDATE webhook_endpoint SET disabled_at = kt_now(), disabled_reason = 'failing'
    WHERE organization_id = p_organization AND id = p_endpoint AND disabled_at IS NULL
      AND failing_since <= kt_now() - make_interval(secs => p_disable_after_ms / 1000.0)
    RETURNING * INTO w;
  IF w.id IS NULL THEN RETURN false; END IF;
  PERFORM outbox_put(p_organization, 'webhook.disabled', w.id || ':' || iso_moment(w.disabled_at), jsonb_build_object('endpoint_id', w.id,
    'url', w.url, 'reason', w.disabled_reason, 'failing_since', iso_moment(w.failing_since), 'disabled_at', iso_moment(w.disabled_at)));
  RETURN true;
END $$;

-- ── Notices ────────────────────────────────────────────────────────────────────────────────────────────────────
-- Looks at the next p_limit balances that somebody wants to be told of, in the order of their keys after (p_organization,
-- p_unit). A balance is what grants that may be spent now have available, and what is leased of them and not yet used: that
-- is counted, from usage, only where it decides. Answers {checked, crossed, organization, unit}, the last two to go on from.
CREATE FUNCTION balance_notices_check(p_organization uuid, p_unit text, p_limit integer) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE n record; v_balance numeric; v_checked integer := 0; v_crossed integer := 0; v_crossing bigint; v_organization uuid; v_unit text;
BEGIN
  FOR n IN
    SELECT b.organization_id, b.unit, b.threshold, b.is_low, s.available, s.leased FROM balance_notice b CROSS JOIN LATERAL (
      SELECT coalesce(sum(g.available), 0) AS available, coalesce(sum(g.leased), 0) AS leased FROM credit_grant g
      WHERE g.organization_id = b.organization_id AND g.unit = b.unit AND g.closing_at IS NULL
        AND g.effective_at <= kt_now() AND (g.expires_at IS NULL OR g.expires_at > kt_now())) s
    WHERE b.threshold IS NOT NULL AND (p_organization IS NULL OR (b.organization_id, b.unit) > (p_organization, p_unit))
    ORDER BY b.organization_id, b.unit LIMIT p_limit LOOP
    v_checked := v_checked + 1;
    v_organization := n.organization_id;
    v_unit := n.unit;
    v_balance := n.available + n.leased;
    IF n.available < n.threshold AND v_balance >= n.threshold THEN
      SELECT coalesce(sum(g.available + g.leased - g.spent_open), 0) INTO v_balance FROM grant_balances(n.organization_id, NULL) g
        JOIN credit_grant c ON c.organization_id = n.organization_id AND c.id = g.id
        WHERE g.unit = n.unit AND c.closing_at IS NULL AND g.effective_at <= kt_now() AND (g.expires_at IS NULL OR g.expires_at > kt_now());
    END IF;
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

-- ── Nights ─────────────────────────────────────────────────────────────────────────────────────────────────────
-- Claims the run of a name for the night that began last, at p_minute of the day in UTC: null when it is done, or somebody is
-- at it, or it failed p_attempts_max times. The first time that a name is seen counts as done: an installation does not begin
-- with its nightly work. Answers the night.
CREATE FUNCTION nightly_claim(p_name text, p_minute integer, p_claim uuid, p_claim_ms integer, p_attempts_max integer) RETURNS date
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_night date := ((kt_now() AT TIME ZONE 'UTC') - make_interval(mins => p_minute))::date; v_claimed date;
BEGIN
  IF NOT EXISTS (SELECT FROM nightly_run WHERE name = p_name) THEN
    INSERT INTO nightly_run (name, night, attempts, claim_id, claimed_until, finished_at, outcome)
      VALUES (p_name, v_night, 0, p_claim, kt_now(), kt_now(), '{"ok": true, "reason": "registered"}') ON CONFLICT DO NOTHING;
    RETURN NULL;
  END IF;
  INSERT INTO nightly_run AS r (name, night, attempts, claim_id, claimed_until)
    VALUES (p_name, v_night, 1, p_claim, kt_now() + make_interval(secs => p_claim_ms / 1000.0))
    ON CONFLICT (name, night) DO UPDATE SET attempts = r.attempts + 1, claim_id = excluded.claim_id, claimed_until = excluded.claimed_until
      WHERE r.finished_at IS NULL AND r.claimed_until <= kt_now() AND r.attempts < p_attempts_max
    RETURNING night INTO v_claimed;
  RETURN v_claimed;
END $$;

-- Ends a run. One that failed may be claimed again after p_retry_ms; executed by a run that lost its claim it changes nothing.
CREATE FUNCTION nightly_end(p_name text, p_night date, p_claim uuid, p_ok boolean, p_outcome jsonb, p_retry_ms integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  UPDATE nightly_run SET outcome = p_outcome, finished_at = CASE WHEN p_ok THEN kt_now() END,
    claimed_until = CASE WHEN p_ok THEN claimed_until ELSE kt_now() + make_interval(secs => p_retry_ms / 1000.0) END
    WHERE name = p_name AND night = p_night AND claim_id = p_claim AND finished_at IS NULL;
  RETURN FOUND;
END $$;

-- ── Row-level security and rights ──────────────────────────────────────────────────────────────────────────────
DO $$
DECLARE t text; f record;
BEGIN
  FOREACH t IN ARRAY ARRAY['outbox_position', 'outbox_job', 'webhook_endpoint', 'webhook_secret', 'notice_address', 'balance_notice'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I FOR SELECT TO kilotoken_app USING (organization_id = current_organization())', t);
    EXECUTE format('CREATE POLICY crossing ON %I TO kilotoken_definer USING (true) WITH CHECK (true)', t);
  END LOOP;

  EXECUTE format('GRANT kilotoken_definer TO %I WITH SET TRUE', current_user);
  EXECUTE 'GRANT CREATE ON SCHEMA public TO kilotoken_definer';
  FOR f IN SELECT p.oid::regprocedure AS signature FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.proname = ANY (ARRAY[
      'outbox_dispatch', 'outbox_jobs_due', 'outbox_job_claim', 'outbox_job_end', 'outbox_backlog', 'outbox_prune', 'webhook_delivery',
      'webhook_attempted', 'balance_notices_check', 'nightly_claim', 'nightly_end']) LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f.signature);
    EXECUTE format('ALTER FUNCTION %s OWNER TO kilotoken_definer', f.signature);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO kilotoken_app, kilotoken_definer', f.signature);
  END LOOP;
  EXECUTE 'REVOKE CREATE ON SCHEMA public FROM kilotoken_definer';
END $$;

GRANT SELECT ON outbox_job, webhook_endpoint, notice_address, balance_notice TO kilotoken_app;
GRANT SELECT ON webhook_secret, notice_address TO kilotoken_definer;
GRANT UPDATE, DELETE ON outbox_event TO kilotoken_definer;
GRANT SELECT, INSERT, UPDATE ON outbox_position, nightly_run TO kilotoken_definer;
GRANT SELECT, INSERT, UPDATE, DELETE ON outbox_job TO kilotoken_definer;
GRANT SELECT, UPDATE ON webhook_endpoint, balance_notice TO kilotoken_definer;
