-- Records the end of an attempt. Disables an endpoint that has only failed for p_disable_after_ms, and puts an event that tells its
-- organization.
CREATE OR REPLACE FUNCTION webhook_attempted(p_organization uuid, p_endpoint uuid, p_ok boolean, p_disable_after_ms bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
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

ALTER FUNCTION webhook_attempted OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION webhook_attempted FROM PUBLIC;
GRANT EXECUTE ON FUNCTION webhook_attempted TO kilotoken_backoffice, kilotoken_app;
