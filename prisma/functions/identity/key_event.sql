-- Trigger: writes a key's event, named by the trigger's argument, to the outbox, for every way of changing a key. The triggers hold the
-- conditions, so an update without an event does not call the function.
CREATE OR REPLACE FUNCTION key_event() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  PERFORM outbox_put(NEW.organization_id, TG_ARGV[0], NEW.id::text, jsonb_build_object('key_id', NEW.id, 'project_id', NEW.project_id,
    'name', NEW.name, 'prefix', NEW.prefix, 'expires_at', iso_moment(NEW.expires_at)));
  RETURN NULL;
END $$;

ALTER FUNCTION key_event OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION key_event FROM PUBLIC;

CREATE TRIGGER key_created AFTER INSERT ON api_key FOR EACH ROW EXECUTE FUNCTION key_event('key.created');
CREATE TRIGGER key_revoked AFTER UPDATE ON api_key
  FOR EACH ROW WHEN (old.revoked_at IS NULL AND new.revoked_at IS NOT NULL) EXECUTE FUNCTION key_event('key.revoked');
