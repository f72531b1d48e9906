-- Why: a ledger that proves by itself that nothing in it was changed or removed: each organization's transactions form a chain of
-- hashes. And the two ways in which a person changes a grant, refund and adjustment, each posted in its own transaction.
-- Locks: ACCESS EXCLUSIVE on ledger_transaction while the rows that are there are chained, about a minute for a million of them:
-- ratings and expiries wait for that long, requests do not. A moment's on ledger_posting.
-- Lock order: the head of a chain is the last lock of a transaction; several heads are locked by organization.

-- ── The chain ──────────────────────────────────────────────────────────────────────────────────────────────────
-- Where an organization's chain ends. Whoever posts locks this row until its transaction ends, so positions have no gaps and
-- become visible in their order.
CREATE TABLE ledger_chain (
  organization_id uuid PRIMARY KEY,
  position        bigint NOT NULL CHECK (position >= 0),
  hash            bytea NOT NULL CHECK (octet_length(hash) = 32)
) WITH (fillfactor = 50);

-- The hash that the first link of a chain has before it.
CREATE FUNCTION ledger_genesis() RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT decode(repeat('00', 32), 'hex') $$;

-- One posting in the text that is hashed. Names are written as JSON strings, so that none can hold a line's end.
CREATE FUNCTION ledger_line(line smallint, account text, unit text, amount numeric) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT line || ' ' || to_json(account) || ' ' || to_json(unit) || ' ' || amount::numeric(38, 12) $$;

-- SHA-256 over the canonical text of a transaction, a line each: a mark of this form, organization, position, id, kind, source, the
-- moment of posting in microseconds since 1970, its postings in their order, the hash before it. docs/ledger.md shows one.
CREATE FUNCTION ledger_hash(organization uuid, "position" bigint, id uuid, kind text, source text, posted_at timestamptz, postings text, previous bytea)
RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT sha256(convert_to(concat_ws(E'\n', 'kilotoken-ledger-1', organization, "position", id, to_json(kind), to_json(source),
    (extract(epoch FROM posted_at) * 1000000)::bigint, postings, encode(previous, 'hex')), 'UTF8'))
$$;

ALTER TABLE ledger_transaction ADD COLUMN position bigint CHECK (position > 0), ADD COLUMN previous_hash bytea, ADD COLUMN hash bytea;

DO $$
DECLARE e record; v_organization uuid; v_position bigint; v_hash bytea; v_previous bytea;
BEGIN
  FOR e IN SELECT t.organization_id, t.id, t.kind, t.source_id, t.posted_at,
      (SELECT string_agg(ledger_line(p.line, p.account, p.unit, p.amount), E'\n' ORDER BY p.line) FROM ledger_posting p
       WHERE p.organization_id = t.organization_id AND p.transaction_id = t.id) AS postings
    FROM ledger_transaction t ORDER BY t.organization_id, t.posted_at, t.id LOOP
    IF e.organization_id IS DISTINCT FROM v_organization THEN
      v_organization := e.organization_id; v_position := 0; v_hash := ledger_genesis();
    END IF;
    v_previous := v_hash;
    v_position := v_position + 1;
    v_hash := ledger_hash(e.organization_id, v_position, e.id, e.kind, e.source_id, e.posted_at, e.postings, v_previous);
    UPDATE ledger_transaction SET position = v_position, previous_hash = v_previous, hash = v_hash WHERE organization_id = e.organization_id AND id = e.id;
    INSERT INTO ledger_chain AS c (organization_id, position, hash) VALUES (e.organization_id, v_position, v_hash)
      ON CONFLICT (organization_id) DO UPDATE SET position = excluded.position, hash = excluded.hash;
  END LOOP;
END $$;

ALTER TABLE ledger_transaction ALTER COLUMN position SET NOT NULL, ALTER COLUMN previous_hash SET NOT NULL, ALTER COLUMN hash SET NOT NULL,
  ADD CONSTRAINT ledger_transaction_position UNIQUE (organization_id, position);

-- Nobody changes the ledger by mistake, the owner included: a mistake is put right by another transaction. Who disables the trigger
-- is found by the chain.
CREATE FUNCTION ledger_is_final() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'the ledger is only added to: % is not changed; post another transaction', TG_TABLE_NAME USING ERRCODE = 'KT020';
END $$;
CREATE TRIGGER ledger_transaction_is_final BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_transaction FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_final();
CREATE TRIGGER ledger_posting_is_final BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_posting FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_final();

-- Posts one transaction; p_postings: [{account, unit, amount}]. Zero amounts are left out. Posting the same (kind, source) again
-- changes nothing and answers false: with the head locked, whoever else posts to this organization has committed.
CREATE OR REPLACE FUNCTION ledger_post(p_organization uuid, p_kind text, p_source text, p_postings jsonb) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_id uuid := uuidv7(); v_now timestamptz := kt_now(); v_head ledger_chain; v_hash bytea; v_postings text;
BEGIN
  IF EXISTS (SELECT FROM jsonb_to_recordset(p_postings) AS p(unit text, amount numeric) GROUP BY unit HAVING sum(amount) <> 0) THEN
    RAISE EXCEPTION 'a ledger transaction must sum to zero in each unit: %', p_postings USING ERRCODE = 'KT010';
  END IF;
  INSERT INTO ledger_chain (organization_id, position, hash) VALUES (p_organization, 0, ledger_genesis()) ON CONFLICT DO NOTHING;
  SELECT * INTO STRICT v_head FROM ledger_chain WHERE organization_id = p_organization FOR UPDATE;
  IF EXISTS (SELECT FROM ledger_transaction WHERE organization_id = p_organization AND kind = p_kind AND source_id = p_source) THEN RETURN false; END IF;

  SELECT string_agg(ledger_line(p.line::smallint, p.account, p.unit, p.amount), E'\n' ORDER BY p.line) INTO v_postings FROM (
    SELECT row_number() OVER () AS line, account, unit, amount
    FROM jsonb_to_recordset(p_postings) AS given(account text, unit text, amount numeric) WHERE amount <> 0) p;
  IF v_postings IS NULL THEN
    RAISE EXCEPTION 'a ledger transaction has postings: %', p_postings USING ERRCODE = 'KT010';
  END IF;
  v_hash := ledger_hash(p_organization, v_head.position + 1, v_id, p_kind, p_source, v_now, v_postings, v_head.hash);
  INSERT INTO ledger_transaction (organization_id, id, kind, source_id, posted_at, position, previous_hash, hash)
    VALUES (p_organization, v_id, p_kind, p_source, v_now, v_head.position + 1, v_head.hash, v_hash);
  INSERT INTO ledger_posting (organization_id, transaction_id, line, account, unit, amount)
    SELECT p_organization, v_id, row_number() OVER (), p.account, p.unit, p.amount
    FROM jsonb_to_recordset(p_postings) AS p(account text, unit text, amount numeric) WHERE p.amount <> 0;
  UPDATE ledger_chain SET position = v_head.position + 1, hash = v_hash WHERE organization_id = p_organization;
  RETURN true;
END $$;

-- ── Refunds and adjustments ────────────────────────────────────────────────────────────────────────────────────
-- A refund closes its grant: nothing more is leased from it, gateways give back what they hold idle, and once nothing is leased
-- what is available is refunded.
CREATE TABLE grant_refund (
  organization_id uuid NOT NULL,
  grant_id        uuid NOT NULL,
  reference       text NOT NULL,
  reason          text NOT NULL,
  requested_at    timestamptz NOT NULL DEFAULT kt_now(),
  amount          numeric(38, 12) CHECK (amount >= 0 AND amount <> 'NaN'),
  refunded_at     timestamptz,
  PRIMARY KEY (organization_id, grant_id),
  UNIQUE (organization_id, reference),
  FOREIGN KEY (organization_id, grant_id) REFERENCES credit_grant (organization_id, id),
  CONSTRAINT amount_when_refunded CHECK ((amount IS NULL) = (refunded_at IS NULL))
);
CREATE INDEX grant_refund_waiting ON grant_refund (organization_id, grant_id) WHERE refunded_at IS NULL;

-- Whatever changes credit_grant.adjusted, which is the sum of these: by hand, or because use was rated again.
CREATE TABLE grant_adjustment (
  organization_id uuid NOT NULL,
  id              uuid NOT NULL,
  grant_id        uuid NOT NULL,
  cause           text NOT NULL CHECK (cause IN ('by_hand', 'rating')),
  reference       text NOT NULL,
  amount          numeric(38, 12) NOT NULL CHECK (amount <> 0 AND amount <> 'NaN'),
  reason          text NOT NULL,
  adjusted_at     timestamptz NOT NULL DEFAULT kt_now(),
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, cause, reference, grant_id),
  FOREIGN KEY (organization_id, grant_id) REFERENCES credit_grant (organization_id, id)
);
CREATE INDEX grant_adjustment_by_grant ON grant_adjustment (organization_id, grant_id);

-- Which account a grant was issued against: what a refund gives back.
CREATE FUNCTION grant_counterpart(promotional boolean) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$ SELECT CASE WHEN promotional THEN 'promotion_expense' ELSE 'cash_clearing' END $$;

-- Asks gateways for what a closing grant has leased; once nothing is, refunds what is available. The caller has locked the grant.
-- Answers the amount, null while leases are open.
CREATE FUNCTION grant_refund_finish(p_organization uuid, p_grant uuid) RETURNS numeric
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE g credit_grant; v_amount numeric;
BEGIN
  SELECT amount INTO v_amount FROM grant_refund WHERE organization_id = p_organization AND grant_id = p_grant AND refunded_at IS NOT NULL;
  IF FOUND THEN RETURN v_amount; END IF;
  SELECT * INTO STRICT g FROM credit_grant WHERE organization_id = p_organization AND id = p_grant;
  PERFORM FROM lease WHERE organization_id = p_organization AND grant_id = p_grant AND closed_at IS NULL AND recalled_at IS NULL ORDER BY id FOR UPDATE;
  UPDATE lease SET recalled_at = kt_now() WHERE organization_id = p_organization AND grant_id = p_grant AND closed_at IS NULL AND recalled_at IS NULL;
  IF EXISTS (SELECT FROM lease WHERE organization_id = p_organization AND grant_id = p_grant AND closed_at IS NULL) THEN RETURN NULL; END IF;

  UPDATE credit_grant SET available = 0, refunded = refunded + g.available WHERE organization_id = p_organization AND id = p_grant;
  UPDATE grant_refund SET amount = g.available, refunded_at = kt_now() WHERE organization_id = p_organization AND grant_id = p_grant;
  IF g.available > 0 THEN
    PERFORM ledger_post(p_organization, 'grant_refunded', p_grant::text, jsonb_build_array(
      jsonb_build_object('account', 'grant_liability', 'unit', g.unit, 'amount', g.available),
      jsonb_build_object('account', grant_counterpart(g.promotional), 'unit', g.unit, 'amount', -g.available)));
  END IF;
  RETURN g.available;
END $$;

-- Refunds what remains of a grant. Again with the same reference: nothing changes, but for the end of what was not finished. Errors:
-- KT011 the reference, or the grant's refund, is another one; KT021 no such grant; KT023 its end has come.
CREATE FUNCTION grant_refund_request(p_organization uuid, p_grant uuid, p_reference text, p_reason text) RETURNS numeric
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
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

-- Finishes refunds whose leases have come back, and recalls again what has not. Answers how many it finished.
CREATE FUNCTION grants_close(p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE e record; n integer := 0;
BEGIN
  FOR e IN SELECT c.organization_id, c.id FROM credit_grant c
           JOIN grant_refund r ON r.organization_id = c.organization_id AND r.grant_id = c.id AND r.refunded_at IS NULL
           ORDER BY c.organization_id, c.id LIMIT p_limit FOR UPDATE OF c SKIP LOCKED LOOP
    IF grant_refund_finish(e.organization_id, e.id) IS NOT NULL THEN n := n + 1; END IF;
  END LOOP;
  RETURN n;
END $$;

-- Adds to a grant, or takes from it, by hand. Again with the same reference: nothing changes. Errors: KT011 the reference stands
-- for another adjustment; KT021 no such grant; KT022 less than that is available; KT023 the grant's end has come.
CREATE FUNCTION grant_adjust(p_organization uuid, p_grant uuid, p_amount numeric, p_reference text, p_reason text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE g credit_grant; a grant_adjustment;
BEGIN
  SELECT * INTO g FROM credit_grant WHERE organization_id = p_organization AND id = p_grant FOR UPDATE;
  IF NOT FOUND THEN RAISE EXCEPTION 'there is no grant %', p_grant USING ERRCODE = 'KT021'; END IF;
  SELECT * INTO a FROM grant_adjustment WHERE organization_id = p_organization AND cause = 'by_hand' AND reference = p_reference LIMIT 1;
  IF FOUND THEN
    IF a.grant_id <> p_grant OR a.amount <> p_amount THEN RAISE EXCEPTION 'reference % was used for another adjustment', p_reference USING ERRCODE = 'KT011'; END IF;
    RETURN false;
  END IF;
  IF g.closing_at IS NOT NULL OR g.expires_at <= kt_now() THEN RAISE EXCEPTION 'grant % is closed', p_grant USING ERRCODE = 'KT023'; END IF;
  UPDATE credit_grant SET adjusted = adjusted + p_amount, available = available + p_amount
    WHERE organization_id = p_organization AND id = p_grant AND available + p_amount >= 0;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'grant % has % available and % leased', p_grant, trim_scale(g.available), trim_scale(g.leased) USING ERRCODE = 'KT022';
  END IF;
  INSERT INTO grant_adjustment (organization_id, id, grant_id, cause, reference, amount, reason)
    VALUES (p_organization, uuidv7(), p_grant, 'by_hand', p_reference, p_amount, p_reason);
  -- Posted already: somebody has just used the reference for another grant.
  IF NOT ledger_post(p_organization, 'grant_adjusted', p_reference, jsonb_build_array(
      jsonb_build_object('account', 'manual_adjustment', 'unit', g.unit, 'amount', p_amount),
      jsonb_build_object('account', 'grant_liability', 'unit', g.unit, 'amount', -p_amount))) THEN
    RAISE EXCEPTION 'reference % was used for another adjustment', p_reference USING ERRCODE = 'KT011';
  END IF;
  RETURN true;
END $$;

-- As before, but for grants that are being refunded: their end is the refund.
CREATE OR REPLACE FUNCTION grants_expire(p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE g credit_grant; n integer := 0;
BEGIN
  FOR g IN SELECT * FROM credit_grant WHERE expires_at <= kt_now() AND available > 0 AND closing_at IS NULL
           ORDER BY organization_id, id LIMIT p_limit FOR UPDATE SKIP LOCKED LOOP
    UPDATE credit_grant SET available = 0, expired = expired + g.available WHERE organization_id = g.organization_id AND id = g.id;
    PERFORM ledger_post(g.organization_id, 'grant_expired', g.id::text || ':' || (g.expired + g.available)::text, jsonb_build_array(
      jsonb_build_object('account', 'grant_liability', 'unit', g.unit, 'amount', g.available),
      jsonb_build_object('account', 'breakage_revenue', 'unit', g.unit, 'amount', -g.available)));
    n := n + 1;
  END LOOP;
  RETURN n;
END $$;

-- ── Rights ─────────────────────────────────────────────────────────────────────────────────────────────────────
DO $$
DECLARE t text; f record;
BEGIN
  FOREACH t IN ARRAY ARRAY['ledger_chain', 'grant_refund', 'grant_adjustment'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I FOR SELECT TO kilotoken_app USING (organization_id = current_organization())', t);
    EXECUTE format('CREATE POLICY crossing ON %I TO kilotoken_definer USING (true) WITH CHECK (true)', t);
  END LOOP;
  EXECUTE 'GRANT CREATE ON SCHEMA public TO kilotoken_definer';
  FOR f IN SELECT p.oid::regprocedure AS signature, p.prosecdef FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.proname = ANY (ARRAY[
      'ledger_genesis', 'ledger_line', 'ledger_hash', 'ledger_is_final', 'grant_counterpart', 'grant_refund_finish', 'grant_refund_request', 'grants_close', 'grant_adjust']) LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f.signature);
    IF f.prosecdef THEN
      EXECUTE format('ALTER FUNCTION %s OWNER TO kilotoken_definer', f.signature);
      EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO kilotoken_app', f.signature);
    END IF;
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO kilotoken_definer', f.signature);
  END LOOP;
  EXECUTE 'REVOKE CREATE ON SCHEMA public FROM kilotoken_definer';
END $$;
GRANT SELECT ON ledger_chain, grant_refund, grant_adjustment TO kilotoken_app;
GRANT SELECT, INSERT, UPDATE ON ledger_chain TO kilotoken_definer;
GRANT SELECT, UPDATE ON grant_refund TO kilotoken_definer;
