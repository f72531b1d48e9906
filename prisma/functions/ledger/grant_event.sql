-- Trigger: writes a grant's event, named by the trigger's argument, to the outbox, for every way of changing a grant. The triggers hold
-- the conditions: an update without an event, as nearly all of the hot path's are, does not call the function.
CREATE OR REPLACE FUNCTION grant_event() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_kind text := TG_ARGV[0]; v_key text := NEW.id::text; v_amount numeric := NEW.granted;
BEGIN
  IF v_kind = 'grant.expired' THEN
    -- A leased amount expires when it returns, so a grant may expire in parts.
    v_key := v_key || ':' || NEW.expired::text;
    v_amount := NEW.expired - OLD.expired;
  END IF;
  PERFORM outbox_put(NEW.organization_id, v_kind, v_key, jsonb_build_object('grant_id', NEW.id, 'unit', NEW.unit, 'source', NEW.source,
    'reference', NEW.reference, 'amount', trim_scale(v_amount)::text, 'expires_at', iso_moment(NEW.expires_at)));
  RETURN NULL;
END $$;

ALTER FUNCTION grant_event OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION grant_event FROM PUBLIC;

CREATE TRIGGER grant_exhausted AFTER UPDATE ON credit_grant
  FOR EACH ROW WHEN (new.available = 0::numeric AND new.leased = 0::numeric AND new.settled > old.settled AND new.expired = old.expired)
  EXECUTE FUNCTION grant_event('grant.exhausted');
CREATE TRIGGER grant_expired AFTER UPDATE ON credit_grant
  FOR EACH ROW WHEN (new.expired > old.expired) EXECUTE FUNCTION grant_event('grant.expired');
CREATE TRIGGER grant_issued AFTER INSERT ON credit_grant FOR EACH ROW EXECUTE FUNCTION grant_event('grant.issued');
