-- Puts an event into the outbox, in the caller's transaction; answers true for a new one. Customers receive p_payload as `data`: names
-- are snake_case, amounts are decimal strings, moments are those of iso_moment(). Triggers put events of every row that the transaction
-- writes. A login of the control plane that calls it puts events of its transaction's organization alone.
-- Errors: those of control_fence.
CREATE OR REPLACE FUNCTION outbox_put(p_organization uuid, p_kind text, p_key text, p_payload jsonb) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF pg_trigger_depth() = 0 THEN PERFORM control_fence(p_organization); END IF;
  INSERT INTO outbox_event (organization_id, id, kind, key, payload) VALUES (p_organization, uuidv7(), p_kind, p_key, p_payload)
    ON CONFLICT (organization_id, kind, key) DO NOTHING;
  RETURN FOUND;
END $$;

ALTER FUNCTION outbox_put OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION outbox_put FROM PUBLIC;
GRANT EXECUTE ON FUNCTION outbox_put TO kilotoken_app, kilotoken_control, kilotoken_api;
