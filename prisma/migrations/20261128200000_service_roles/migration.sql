-- Why: least privilege. Gateway, metering, backoffice and api logged in with one login, so a gateway that was taken over could read
-- webhooks' secrets, prune the outbox, post to the ledger and end other gateways' sessions. Each now has a group with the functions and
-- tables that it calls, and no other. kilotoken_app keeps all rights that it has for one release: processes of the release before, and
-- installations whose operators have not made the new logins yet, go on with it.
-- Locks: a moment's ACCESS EXCLUSIVE on session, for a column without default, and on each table whose policy gets a reader.

-- ── Groups ─────────────────────────────────────────────────────────────────────────────────────────────────────
-- Groups without login, like kilotoken_app. A service's login is a member of its group alone.
DO $$
DECLARE r text;
BEGIN
  FOREACH r IN ARRAY ARRAY['kilotoken_gateway', 'kilotoken_metering', 'kilotoken_backoffice', 'kilotoken_api'] LOOP
    BEGIN EXECUTE format('CREATE ROLE %I NOLOGIN', r); EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END;
  END LOOP;
END $$;
GRANT USAGE ON SCHEMA public TO kilotoken_gateway, kilotoken_metering, kilotoken_backoffice, kilotoken_api;

-- ── Sessions that end themselves ───────────────────────────────────────────────────────────────────────────────
-- A gateway that drains ends its own session. It proves that it is its own by a key that it drew when it began it: of other gateways' it
-- knows none, so it can reap nobody. Null: a session of the release before, which ends by session_reap.
ALTER TABLE session ADD COLUMN end_key_hash bytea CHECK (octet_length(end_key_hash) = 32);

-- As session_start, with the SHA-256 of the key by which the session is ended.
CREATE FUNCTION session_open(p_session uuid, p_app text, p_host text, p_pid integer, p_release text, p_end_key_hash bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  INSERT INTO session (id, app, host, pid, release, end_key_hash) VALUES (p_session, p_app, p_host, p_pid, p_release, p_end_key_hash) ON CONFLICT DO NOTHING;
  INSERT INTO session_heartbeat (session_id) VALUES (p_session) ON CONFLICT DO NOTHING;
END $$;

CREATE FUNCTION session_end(p_session uuid, p_end_key bytea) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM session WHERE id = p_session AND end_key_hash = sha256(p_end_key)) THEN
    RAISE EXCEPTION 'session % is not the one that this key ends', p_session USING ERRCODE = '42501';
  END IF;
  RETURN session_reap(p_session);
END $$;

-- ── Rights ─────────────────────────────────────────────────────────────────────────────────────────────────────
DO $$
DECLARE f record; t text;
BEGIN
  EXECUTE format('GRANT kilotoken_definer TO %I WITH SET TRUE', current_user);
  EXECUTE 'GRANT CREATE ON SCHEMA public TO kilotoken_definer';
  FOR f IN SELECT p.oid::regprocedure AS signature FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.proname IN ('session_open', 'session_end') LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f.signature);
    EXECUTE format('ALTER FUNCTION %s OWNER TO kilotoken_definer', f.signature);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO kilotoken_definer, kilotoken_app', f.signature);
  END LOOP;
  EXECUTE 'REVOKE CREATE ON SCHEMA public FROM kilotoken_definer';

  -- What each service calls. A test lists it again, by role, and fails for every function that is in neither list.
  FOR f IN
    SELECT p.oid::regprocedure AS signature, w.role FROM (VALUES
      ('kilotoken_gateway', ARRAY['kt_now', 'current_organization', 'session_open', 'session_confirm', 'session_end', 'gateway_poll', 'key_caller',
        'lease_take', 'lease_return', 'settle', 'checkpoint_requests', 'usage_quarantine_put', 'grant_balances', 'limit_exchange',
        'idempotency_claim', 'idempotency_bind', 'idempotency_release']),
      ('kilotoken_metering', ARRAY['kt_now', 'session_pulses', 'session_reap_silent', 'grants_expire', 'grants_close', 'idempotency_expire',
        'rating_claim', 'rating_flushes', 'rating_counters_take', 'rating_counters_add', 'rating_post', 'rating_quarantine', 'rating_lag',
        'rollup_add', 'rollup_lag', 'rollup_prune', 'usage_partition_make', 'usage_default_rows']),
      ('kilotoken_backoffice', ARRAY['kt_now', 'current_organization', 'outbox_dispatch', 'outbox_jobs_due', 'outbox_job_claim', 'outbox_job_end',
        'outbox_backlog', 'outbox_prune', 'webhook_delivery', 'webhook_attempted', 'balance_notices_check', 'nightly_claim', 'nightly_end'])
    ) AS w(role, names) JOIN pg_proc p ON p.pronamespace = 'public'::regnamespace AND p.proname = ANY (w.names) LOOP
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', f.signature, f.role);
  END LOOP;

  -- Of tenants' tables they see, like kilotoken_app, the rows of the organization that their transaction names.
  FOREACH t IN ARRAY ARRAY['credit_grant', 'lease', 'open_request', 'usage'] LOOP
    EXECUTE format('ALTER POLICY tenant ON %I TO kilotoken_app, kilotoken_gateway', t);
    EXECUTE format('GRANT SELECT ON %I TO kilotoken_gateway', t);
  END LOOP;
  FOREACH t IN ARRAY ARRAY['organization', 'outbox_event'] LOOP
    EXECUTE format('ALTER POLICY tenant ON %I TO kilotoken_app, kilotoken_backoffice', t);
    EXECUTE format('GRANT SELECT ON %I TO kilotoken_backoffice', t);
  END LOOP;
END $$;

GRANT SELECT ON database_mark TO kilotoken_gateway, kilotoken_metering, kilotoken_backoffice;
GRANT SELECT ON config_version, model, lane, price_version, rate TO kilotoken_gateway;
GRANT SELECT ON price_version, rate TO kilotoken_metering;
