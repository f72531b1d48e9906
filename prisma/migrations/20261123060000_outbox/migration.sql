-- Why: the outbox. An event of an organization is a row that the transaction which causes it writes, so that there is
-- neither an event without its cause nor a cause without its event. Who writes it takes no lock that others wait for:
-- numbers in the order of an organization's events are given later, by the dispatcher.
-- Locks: a moment's SHARE ROW EXCLUSIVE on credit_grant and api_key, for their triggers.

-- `key` names the event's cause: the same (kind, key) again is the same event. `sequence` counts the organization's events
-- from 1, without gaps; it is null until the event was dispatched.
CREATE TABLE outbox_event (
  organization_id uuid NOT NULL,
  id              uuid NOT NULL,
  kind            text NOT NULL CHECK (kind ~ '^[a-z_]+\.[a-z_]+$'),
  key             text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
  payload         jsonb NOT NULL CHECK (jsonb_typeof(payload) = 'object'),
  sequence        bigint CHECK (sequence > 0),
  created_at      timestamptz NOT NULL DEFAULT kt_now(),
  PRIMARY KEY (organization_id, id),
  UNIQUE (organization_id, kind, key),
  UNIQUE (organization_id, sequence)
);
CREATE INDEX outbox_event_waiting ON outbox_event (id) WHERE sequence IS NULL;

-- Puts an event into the outbox, in the caller's transaction; answers whether it is a new one. Names in p_payload are
-- snake_case, amounts are decimal strings, moments are those of iso_moment(): it is what customers receive as `data`.
CREATE FUNCTION outbox_put(p_organization uuid, p_kind text, p_key text, p_payload jsonb) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  INSERT INTO outbox_event (organization_id, id, kind, key, payload) VALUES (p_organization, uuidv7(), p_kind, p_key, p_payload)
    ON CONFLICT (organization_id, kind, key) DO NOTHING;
  RETURN FOUND;
END $$;

-- A moment as JSON has it, whatever the session's time zone.
CREATE FUNCTION iso_moment(moment timestamptz) RETURNS text LANGUAGE sql STABLE STRICT PARALLEL SAFE
  AS $$ SELECT to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$;

-- ── What grants and keys tell ──────────────────────────────────────────────────────────────────────────────────
-- Triggers, so that no way of changing a grant or a key can forget its event. Their conditions are in the triggers: an
-- update that is no event, as nearly all of the hot path's are, does not call the function.
CREATE FUNCTION grant_event() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_kind text := TG_ARGV[0]; v_key text := NEW.id::text; v_amount numeric := NEW.granted;
BEGIN
  IF v_kind = 'grant.expired' THEN
    -- What was leased expires when it returns: a grant may expire in parts.
    v_key := v_key || ':' || NEW.expired::text;
    v_amount := NEW.expired - OLD.expired;
  END IF;
  PERFORM outbox_put(NEW.organization_id, v_kind, v_key, jsonb_build_object('grant_id', NEW.id, 'unit', NEW.unit, 'source', NEW.source,
    'reference', NEW.reference, 'amount', trim_scale(v_amount)::text, 'expires_at', iso_moment(NEW.expires_at)));
  RETURN NULL;
END $$;

CREATE TRIGGER grant_issued AFTER INSERT ON credit_grant FOR EACH ROW EXECUTE FUNCTION grant_event('grant.issued');
CREATE TRIGGER grant_expired AFTER UPDATE ON credit_grant FOR EACH ROW
  WHEN (NEW.expired > OLD.expired) EXECUTE FUNCTION grant_event('grant.expired');
-- Spent to the last digit: what ended otherwise has another event.
CREATE TRIGGER grant_exhausted AFTER UPDATE ON credit_grant FOR EACH ROW
  WHEN (NEW.available = 0 AND NEW.leased = 0 AND NEW.settled > OLD.settled AND NEW.expired = OLD.expired) EXECUTE FUNCTION grant_event('grant.exhausted');

CREATE FUNCTION key_event() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM outbox_put(NEW.organization_id, TG_ARGV[0], NEW.id::text, jsonb_build_object('key_id', NEW.id, 'project_id', NEW.project_id,
    'name', NEW.name, 'prefix', NEW.prefix, 'expires_at', iso_moment(NEW.expires_at)));
  RETURN NULL;
END $$;

CREATE TRIGGER key_created AFTER INSERT ON api_key FOR EACH ROW EXECUTE FUNCTION key_event('key.created');
CREATE TRIGGER key_revoked AFTER UPDATE ON api_key FOR EACH ROW
  WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL) EXECUTE FUNCTION key_event('key.revoked');

-- ── Row-level security and rights ──────────────────────────────────────────────────────────────────────────────
ALTER TABLE outbox_event ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON outbox_event FOR SELECT TO kilotoken_app USING (organization_id = current_organization());
CREATE POLICY crossing ON outbox_event TO kilotoken_definer USING (true) WITH CHECK (true);
GRANT SELECT ON outbox_event TO kilotoken_app;
GRANT SELECT, INSERT ON outbox_event TO kilotoken_definer;

REVOKE EXECUTE ON FUNCTION outbox_put(uuid, text, text, jsonb), iso_moment(timestamptz), grant_event(), key_event() FROM PUBLIC;
DO $$
BEGIN
  EXECUTE format('GRANT kilotoken_definer TO %I WITH SET TRUE', current_user);
  EXECUTE 'GRANT CREATE ON SCHEMA public TO kilotoken_definer';
  ALTER FUNCTION outbox_put(uuid, text, text, jsonb) OWNER TO kilotoken_definer;
  EXECUTE 'REVOKE CREATE ON SCHEMA public FROM kilotoken_definer';
END $$;
GRANT EXECUTE ON FUNCTION outbox_put(uuid, text, text, jsonb), iso_moment(timestamptz) TO kilotoken_app, kilotoken_definer;
