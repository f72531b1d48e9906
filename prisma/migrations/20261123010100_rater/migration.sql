-- Why: a rater whose claims end with it, however it ends; postings that continue each organization's chain; counters; a lag that costs
-- the same however much waits; and what is done about usage in quarantine.
-- Locks: nothing that exists but functions, whose running executions end as they began.

-- ── Counters ───────────────────────────────────────────────────────────────────────────────────────────────────
-- What an account tree has used of a named accumulator since the beginning of a period: exact, whoever rates. A rating locks its
-- counters before it rates and adds to them in the transaction that posts. `published` is what gateways may go by: with rates per unit
-- nothing depends on it.
CREATE TABLE rating_counter (
  account_root_id uuid NOT NULL,
  accumulator     text NOT NULL,
  period          timestamptz NOT NULL,
  value           numeric(38, 0) NOT NULL DEFAULT 0 CHECK (value >= 0),
  published       numeric(38, 0) NOT NULL DEFAULT 0 CHECK (published >= 0 AND published <= value),
  published_at    timestamptz NOT NULL DEFAULT kt_now(),
  PRIMARY KEY (account_root_id, accumulator, period)
) WITH (fillfactor = 50);

-- Locks counters for a rating, in their order, and answers what they stand at. p_counters: [{root, accumulator, period}].
CREATE FUNCTION rating_counters_take(p_counters json) RETURNS TABLE (account_root_id uuid, accumulator text, period timestamptz, value numeric)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
#variable_conflict use_column
BEGIN
  INSERT INTO rating_counter (account_root_id, accumulator, period)
    SELECT r.root, r.accumulator, r.period FROM json_to_recordset(p_counters) AS r(root uuid, accumulator text, period timestamptz)
    WHERE NOT EXISTS (SELECT FROM rating_counter k WHERE k.account_root_id = r.root AND k.accumulator = r.accumulator AND k.period = r.period)
    ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING;
  RETURN QUERY SELECT k.account_root_id, k.accumulator, k.period, k.value FROM rating_counter k
    WHERE (k.account_root_id, k.accumulator, k.period) IN (
      SELECT r.root, r.accumulator, r.period FROM json_to_recordset(p_counters) AS r(root uuid, accumulator text, period timestamptz))
    ORDER BY 1, 2, 3 FOR UPDATE;
END $$;

-- Adds what a rating counted to the counters that it has locked. p_counters: [{root, accumulator, period, counted}].
CREATE FUNCTION rating_counters_add(p_counters json) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  UPDATE rating_counter k SET value = k.value + r.counted, published = k.value + r.counted, published_at = kt_now()
  FROM json_to_recordset(p_counters) AS r(root uuid, accumulator text, period timestamptz, counted numeric)
  WHERE k.account_root_id = r.root AND k.accumulator = r.accumulator AND k.period = r.period
$$;

-- ── Rating ─────────────────────────────────────────────────────────────────────────────────────────────────────
-- Takes unrated flushes of some shards out of the queue, in this transaction: at most p_batches, and no more once they hold p_rows.
-- Another rater skips them until the transaction ends; if it rolls back, or its rater dies, they are there again. A rater that is
-- killed is noticed within a second even while it waits for a lock; one that freezes loses its claim after five seconds, whether it
-- owes the next statement or does not read the answer to this one.
CREATE FUNCTION rating_claim_batches(p_shards smallint[], p_batches integer, p_rows integer) RETURNS SETOF unrated_batch
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM set_config('idle_in_transaction_session_timeout', '5s', true), set_config('tcp_user_timeout', '5s', true),
    set_config('client_connection_check_interval', '1s', true), set_config('work_mem', '64MB', true);
  RETURN QUERY DELETE FROM unrated_batch b WHERE b.ctid = ANY (ARRAY(
    SELECT within.ctid FROM (
      SELECT locked.ctid, sum(locked.rows) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS rows_before FROM (
        SELECT w.ctid, cardinality(w.usage_ids) AS rows FROM unrated_batch w WHERE w.shard = ANY (p_shards) LIMIT p_batches FOR UPDATE SKIP LOCKED) locked) within
    WHERE coalesce(within.rows_before, 0) < p_rows)) RETURNING b.*;
END $$;

-- Claims flushes for a rating, whose they are from now on: the primary key of rated_flush refuses a second one. Answers which they are,
-- [[session, flush, shard]], and their usage rows as one text, which costs a third of what a row each costs: a line a row, fields with
-- tabs between them. No unit has a tab or a line's end; if one did, it would be taken out.
CREATE FUNCTION rating_claim(p_rating uuid, p_shards smallint[], p_batches integer, p_rows integer) RETURNS TABLE (flushes json, lines text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_claimed unrated_batch[]; v_lines text;
BEGIN
  -- Two statements: a claim takes what committed until it began, so the rows of it are read by a snapshot that is taken after it.
  SELECT array_agg(b) INTO v_claimed FROM rating_claim_batches(p_shards, p_batches, p_rows) b;
  SELECT string_agg(concat_ws(E'\t', u.organization_id, u.account_root_id, u.id, u.attempt, u.api_key_id, u.price_version_id, u.hold, u.rated,
      u.charge, u.cost, floor(date_part('epoch', u.settled_at) * 1000)::bigint, u.counts, translate(u.unit, E'\t\n', ''), translate(u.cost_currency, E'\t\n', '')), E'\n')
    INTO v_lines
    FROM unnest(v_claimed) c CROSS JOIN LATERAL unnest(c.organization_ids, c.usage_ids, c.attempts) AS k(organization_id, id, attempt)
    JOIN usage u ON u.organization_id = k.organization_id AND u.id = k.id AND u.attempt = k.attempt;
  INSERT INTO rated_flush (session_id, flush, shard, rating_id) SELECT c.session_id, c.flush, c.shard, p_rating FROM unnest(v_claimed) c;
  RETURN QUERY SELECT (SELECT json_agg(json_build_array(c.session_id, c.flush::text, c.shard)) FROM unnest(v_claimed) c), v_lines;
END $$;

-- The claim of the previous release, which may run beside this one.
CREATE OR REPLACE FUNCTION rating_take(p_shards smallint[], p_batches integer)
RETURNS TABLE (session_id uuid, flush bigint, shard smallint, organization_id uuid, account_root_id uuid, id uuid, attempt smallint, api_key_id uuid,
  price_version_id uuid, counts jsonb, unit text, hold numeric, rated numeric, charge numeric, cost numeric, cost_currency text, settled_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_claimed unrated_batch[];
BEGIN
  SELECT array_agg(b) INTO v_claimed FROM rating_claim_batches(p_shards, p_batches, 20000) b;
  RETURN QUERY
  SELECT c.session_id, c.flush, c.shard, u.organization_id, u.account_root_id, u.id, u.attempt, u.api_key_id, u.price_version_id, u.counts, u.unit,
    u.hold, u.rated, u.charge, u.cost, u.cost_currency, u.settled_at
  FROM unnest(v_claimed) c CROSS JOIN LATERAL unnest(c.organization_ids, c.usage_ids, c.attempts) AS k(organization_id, id, attempt)
  JOIN usage u ON u.organization_id = k.organization_id AND u.id = k.id AND u.attempt = k.attempt;
END $$;

-- Posts what was claimed, in the same transaction. p_flushes: [{session, flush, shard}], of the previous release's claim; p_roots: [{root, rows}];
-- p_totals: one per organization, unit and cost currency: [{organization, unit, charge, rated, cost, cost_currency}];
-- p_keys: [{organization, key, used}]. The primary keys of rated_flush and rated_batch refuse a second posting. The heads of
-- chains are locked last, by organization, and moved on once an organization.
CREATE OR REPLACE FUNCTION rating_post(p_rating uuid, p_flushes json, p_roots json, p_totals json, p_keys json) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_now timestamptz := kt_now(); v_organizations uuid[];
BEGIN
  INSERT INTO rated_flush (session_id, flush, shard, rating_id)
    SELECT f.session, f.flush, f.shard, p_rating FROM json_to_recordset(p_flushes) AS f(session uuid, flush bigint, shard smallint);
  WITH root AS (SELECT * FROM json_to_recordset(p_roots) AS r(root uuid, rows integer)),
  position AS (
    INSERT INTO rating_position AS p (account_root_id, rating_seq) SELECT root, 1 FROM root ORDER BY root
      ON CONFLICT (account_root_id) DO UPDATE SET rating_seq = p.rating_seq + 1 RETURNING account_root_id, rating_seq)
  INSERT INTO rated_batch (account_root_id, rating_seq, rating_id, rows)
    SELECT p.account_root_id, p.rating_seq, p_rating, r.rows FROM position p JOIN root r ON r.root = p.account_root_id;

  INSERT INTO api_key_use AS u (organization_id, api_key_id, last_used_at)
    SELECT k.organization, k.key, to_timestamp(k.used / 1000) FROM json_to_recordset(p_keys) AS k(organization uuid, key uuid, used double precision)
    WHERE EXISTS (SELECT FROM api_key a WHERE a.organization_id = k.organization AND a.id = k.key) ORDER BY 1, 2
    ON CONFLICT (organization_id, api_key_id) DO UPDATE SET last_used_at = greatest(u.last_used_at, excluded.last_used_at);

  SELECT array_agg(DISTINCT t.organization ORDER BY t.organization) INTO v_organizations
    FROM json_to_recordset(p_totals) AS t(organization uuid, rated numeric, cost numeric) WHERE t.rated <> 0 OR t.cost <> 0;
  INSERT INTO ledger_chain (organization_id, position, hash)
    SELECT o, 0, ledger_genesis() FROM unnest(v_organizations) AS o WHERE NOT EXISTS (SELECT FROM ledger_chain WHERE organization_id = o) ORDER BY o
    ON CONFLICT DO NOTHING;
  PERFORM FROM ledger_chain WHERE organization_id = ANY (v_organizations) ORDER BY organization_id FOR UPDATE;

  -- Aggregated per organization: use releases the liability of its grants; what exceeds holds is our loss; lanes are owed their cost.
  WITH total AS (SELECT * FROM json_to_recordset(p_totals) AS t(organization uuid, unit text, charge numeric, rated numeric, cost numeric, cost_currency text)),
  amount AS (
    SELECT organization, 'grant_liability' AS account, unit, sum(charge) AS amount FROM total GROUP BY organization, unit
    UNION ALL SELECT organization, 'uncollected', unit, sum(rated - charge) FROM total GROUP BY organization, unit
    UNION ALL SELECT organization, 'usage_revenue', unit, -sum(rated) FROM total GROUP BY organization, unit
    UNION ALL SELECT organization, 'vendor_cost', cost_currency, sum(cost) FROM total GROUP BY organization, cost_currency
    UNION ALL SELECT organization, 'vendor_payable', cost_currency, -sum(cost) FROM total GROUP BY organization, cost_currency),
  posted AS (
    SELECT organization, (row_number() OVER (PARTITION BY organization ORDER BY unit, account))::smallint AS line, account, unit, amount
    FROM amount WHERE amount <> 0),
  entry AS (
    SELECT organization, uuidv7() AS id, string_agg(ledger_line(line, account, unit, amount), E'\n' ORDER BY line) AS postings FROM posted GROUP BY organization),
  linked AS (
    UPDATE ledger_chain c SET position = c.position + 1,
      hash = ledger_hash(c.organization_id, c.position + 1, e.id, 'usage_rated', p_rating::text, v_now, e.postings, c.hash)
    FROM entry e WHERE c.organization_id = e.organization
    RETURNING new.organization_id, e.id, new.position, old.hash AS previous_hash, new.hash),
  stored AS (
    INSERT INTO ledger_transaction (organization_id, id, kind, source_id, posted_at, position, previous_hash, hash)
    SELECT organization_id, id, 'usage_rated', p_rating::text, v_now, position, previous_hash, hash FROM linked RETURNING organization_id, id)
  INSERT INTO ledger_posting (organization_id, transaction_id, line, account, unit, amount)
    SELECT s.organization_id, s.id, p.line, p.account, p.unit, p.amount FROM stored s JOIN posted p ON p.organization = s.organization_id;
END $$;

-- What a rater could not reproduce, kept for repair beside the row itself.
CREATE OR REPLACE FUNCTION rating_quarantine(p_organization uuid, p_id uuid, p_attempt smallint, p_session uuid, p_raw bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  INSERT INTO usage_quarantine (organization_id, id, attempt, session_id, reason, raw)
    SELECT organization_id, id, attempt, session_id, 'rating_mismatch', p_raw FROM usage WHERE organization_id = p_organization AND id = p_id AND attempt = p_attempt
    ON CONFLICT DO NOTHING
$$;

-- How far behind rating is: flushes waiting, counted up to 10,001, and the age of the oldest. A session's flushes ascend, so its
-- first one is its oldest; those that a reaper billed descend from −1. So this looks at two flushes a session, however many wait.
CREATE OR REPLACE FUNCTION rating_lag() RETURNS TABLE (batches bigint, oldest_seconds double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  WITH RECURSIVE waiting AS (
    (SELECT session_id FROM unrated_batch ORDER BY session_id LIMIT 1)
    UNION ALL
    SELECT (SELECT b.session_id FROM unrated_batch b WHERE b.session_id > w.session_id ORDER BY b.session_id LIMIT 1) FROM waiting w WHERE w.session_id IS NOT NULL),
  oldest AS (
    SELECT least(
      (SELECT b.created_at FROM unrated_batch b WHERE b.session_id = w.session_id AND b.flush >= 0 ORDER BY b.flush LIMIT 1),
      (SELECT b.created_at FROM unrated_batch b WHERE b.session_id = w.session_id AND b.flush < 0 ORDER BY b.flush DESC LIMIT 1)) AS created_at
    FROM waiting w WHERE w.session_id IS NOT NULL)
  SELECT (SELECT count(*) FROM (SELECT FROM unrated_batch LIMIT 10001) AS bounded),
    coalesce((SELECT extract(epoch FROM kt_now() - min(created_at)) FROM oldest), 0)::double precision
$$;

-- ── Use that was rated wrongly ─────────────────────────────────────────────────────────────────────────────────
-- Differences are rows of their own: a usage row is never changed. `rated` and `charge` are what to add to the row's; `receivable`
-- is the part of a higher charge that no grant could pay.
CREATE TABLE rating_adjustment (
  organization_id uuid NOT NULL,
  id              uuid NOT NULL,
  usage_id        uuid NOT NULL,
  attempt         smallint NOT NULL,
  rated           numeric(38, 12) NOT NULL,
  charge          numeric(38, 12) NOT NULL,
  receivable      numeric(38, 12) NOT NULL CHECK (receivable >= 0),
  reason          text NOT NULL,
  adjusted_at     timestamptz NOT NULL DEFAULT kt_now(),
  PRIMARY KEY (organization_id, id)
);
CREATE INDEX rating_adjustment_by_usage ON rating_adjustment (organization_id, usage_id, attempt);

-- Gives back a part of what a usage row took, last allocation first. What a grant that is over or closing would get becomes a new grant
-- on the same terms for thirty days. The caller holds no lock yet.
CREATE FUNCTION rating_give_back(p_usage usage, p_amount numeric, p_reference text, p_reason text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE a record; g credit_grant; v_left numeric := p_amount; v_give numeric;
BEGIN
  PERFORM FROM credit_grant WHERE organization_id = p_usage.organization_id
    AND id IN (SELECT (e ->> 'grant')::uuid FROM jsonb_array_elements(p_usage.allocations) e) ORDER BY id FOR UPDATE;
  FOR a IN SELECT (e.value ->> 'grant')::uuid AS grant_id, (e.value ->> 'amount')::numeric AS amount
           FROM jsonb_array_elements(p_usage.allocations) WITH ORDINALITY e ORDER BY e.ordinality DESC LOOP
    v_give := least(v_left, a.amount);
    CONTINUE WHEN v_give <= 0;
    v_left := v_left - v_give;
    SELECT * INTO STRICT g FROM credit_grant WHERE organization_id = p_usage.organization_id AND id = a.grant_id;
    IF g.closing_at IS NOT NULL OR g.expires_at <= kt_now() THEN
      INSERT INTO credit_grant (organization_id, id, unit, source, promotional, reference, priority, scope_models, granted, available, expires_at)
        VALUES (g.organization_id, uuidv7(), g.unit, g.source, g.promotional, p_reference || ':' || g.id, g.priority, g.scope_models, v_give, v_give,
          kt_now() + interval '30 days');
    ELSE
      UPDATE credit_grant SET adjusted = adjusted + v_give, available = available + v_give WHERE organization_id = g.organization_id AND id = g.id;
      INSERT INTO grant_adjustment AS j (organization_id, id, grant_id, cause, reference, amount, reason)
        VALUES (g.organization_id, uuidv7(), g.id, 'rating', p_reference, v_give, p_reason)
        ON CONFLICT (organization_id, cause, reference, grant_id) DO UPDATE SET amount = j.amount + excluded.amount;
    END IF;
  END LOOP;
  IF v_left <> 0 THEN RAISE EXCEPTION 'usage % has % less allocated than is given back', p_usage.id, v_left USING ERRCODE = 'KT024'; END IF;
END $$;

-- Takes a higher charge from the organization's grants in burn order, each by what it has available. Answers what none could pay.
CREATE FUNCTION rating_take_more(p_usage usage, p_amount numeric, p_reference text, p_reason text) RETURNS numeric
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE g credit_grant; v_left numeric := p_amount; v_take numeric; v_ids uuid[];
BEGIN
  SELECT array_agg(locked.id) INTO v_ids FROM (
    SELECT id FROM credit_grant WHERE organization_id = p_usage.organization_id AND unit = p_usage.unit AND closing_at IS NULL AND effective_at <= kt_now()
      AND (expires_at IS NULL OR expires_at > kt_now()) AND (scope_models IS NULL OR p_usage.model = ANY (scope_models)) ORDER BY id FOR UPDATE) locked;
  FOR g IN SELECT * FROM credit_grant WHERE organization_id = p_usage.organization_id AND id = ANY (v_ids) AND available > 0
           ORDER BY priority, expires_at NULLS LAST, promotional DESC, effective_at, created_at, id LOOP
    EXIT WHEN v_left <= 0;
    v_take := least(v_left, g.available);
    v_left := v_left - v_take;
    UPDATE credit_grant SET adjusted = adjusted - v_take, available = available - v_take
      WHERE organization_id = g.organization_id AND id = g.id AND available >= v_take;
    INSERT INTO grant_adjustment (organization_id, id, grant_id, cause, reference, amount, reason)
      VALUES (g.organization_id, uuidv7(), g.id, 'rating', p_reference, -v_take, p_reason);
  END LOOP;
  RETURN v_left;
END $$;

-- Makes a usage row, with the adjustments that it has, rated at p_rated: the difference is moved between grants and posted, once. A
-- charge is still never above the hold. Answers the adjustment, null where there is no difference.
CREATE FUNCTION rating_adjust(p_organization uuid, p_usage uuid, p_attempt smallint, p_rated numeric, p_reason text) RETURNS rating_adjustment
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE u usage; v_new rating_adjustment; v_rated numeric; v_charge numeric; v_receivable numeric := 0; v_id uuid := uuidv7();
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('rating_adjust' || p_organization::text || p_usage::text, 0));
  SELECT * INTO STRICT u FROM usage WHERE organization_id = p_organization AND id = p_usage AND attempt = p_attempt;
  SELECT p_rated - u.rated - coalesce(sum(rated), 0), least(p_rated, u.hold) - u.charge - coalesce(sum(charge), 0) INTO v_rated, v_charge
    FROM rating_adjustment WHERE organization_id = p_organization AND usage_id = p_usage AND attempt = p_attempt;
  IF v_rated = 0 AND v_charge = 0 THEN RETURN NULL; END IF;
  IF v_charge < 0 THEN PERFORM rating_give_back(u, -v_charge, v_id::text, p_reason); END IF;
  IF v_charge > 0 THEN v_receivable := rating_take_more(u, v_charge, v_id::text, p_reason); END IF;
  INSERT INTO rating_adjustment (organization_id, id, usage_id, attempt, rated, charge, receivable, reason)
    VALUES (p_organization, v_id, p_usage, p_attempt, v_rated, v_charge, v_receivable, p_reason) RETURNING * INTO v_new;
  PERFORM ledger_post(p_organization, 'rating_adjusted', v_id::text, jsonb_build_array(
    jsonb_build_object('account', 'grant_liability', 'unit', u.unit, 'amount', v_charge - v_receivable),
    jsonb_build_object('account', 'receivable', 'unit', u.unit, 'amount', v_receivable),
    jsonb_build_object('account', 'uncollected', 'unit', u.unit, 'amount', v_rated - v_charge),
    jsonb_build_object('account', 'usage_revenue', 'unit', u.unit, 'amount', -v_rated)));
  RETURN v_new;
END $$;

-- ── What is done about quarantine ──────────────────────────────────────────────────────────────────────────────
-- Each step that a person takes with usage in quarantine, which itself stays as it came: corrected bytes, the replay, or that it is left.
CREATE TABLE quarantine_step (
  organization_id uuid NOT NULL,
  usage_id        uuid NOT NULL,
  attempt         smallint NOT NULL,
  reason          text NOT NULL,
  sequence        integer NOT NULL CHECK (sequence > 0),
  step            text NOT NULL CHECK (step IN ('repaired', 'replayed', 'discarded')),
  raw             bytea,
  result          jsonb,
  note            text NOT NULL CHECK (length(note) BETWEEN 1 AND 1000),
  actor           text NOT NULL,
  taken_at        timestamptz NOT NULL DEFAULT kt_now(),
  PRIMARY KEY (organization_id, usage_id, attempt, reason, sequence),
  CONSTRAINT repaired_bytes CHECK ((step = 'repaired') = (raw IS NOT NULL))
);
-- At most one step ends a case.
CREATE UNIQUE INDEX quarantine_step_last ON quarantine_step (organization_id, usage_id, attempt, reason) WHERE step <> 'repaired';

-- ── Rights ─────────────────────────────────────────────────────────────────────────────────────────────────────
DO $$
DECLARE t text; f record;
BEGIN
  FOREACH t IN ARRAY ARRAY['rating_adjustment', 'quarantine_step'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I FOR SELECT TO kilotoken_app USING (organization_id = current_organization())', t);
    EXECUTE format('CREATE POLICY crossing ON %I TO kilotoken_definer USING (true) WITH CHECK (true)', t);
  END LOOP;
  EXECUTE 'GRANT CREATE ON SCHEMA public TO kilotoken_definer';
  FOR f IN SELECT p.oid::regprocedure AS signature, p.prosecdef FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.proname = ANY (ARRAY[
      'rating_claim_batches', 'rating_claim', 'rating_counters_take', 'rating_counters_add', 'rating_give_back', 'rating_take_more', 'rating_adjust']) LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f.signature);
    IF f.prosecdef THEN
      EXECUTE format('ALTER FUNCTION %s OWNER TO kilotoken_definer', f.signature);
      EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO kilotoken_app', f.signature);
    END IF;
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO kilotoken_definer', f.signature);
  END LOOP;
  EXECUTE 'REVOKE CREATE ON SCHEMA public FROM kilotoken_definer';
END $$;
GRANT SELECT ON rating_adjustment, quarantine_step TO kilotoken_app;
GRANT SELECT, INSERT, UPDATE ON rating_counter TO kilotoken_definer;
