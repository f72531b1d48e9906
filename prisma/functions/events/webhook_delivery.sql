-- The endpoint, event and secrets of one delivery. Valid secrets come newest first.
CREATE OR REPLACE FUNCTION webhook_delivery(p_organization uuid, p_endpoint uuid, p_event uuid)
RETURNS TABLE (url text, disabled boolean, secrets text[], kind text, sequence bigint, created_at timestamptz, payload jsonb)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT w.url, w.disabled_at IS NOT NULL,
    ARRAY(SELECT s.secret FROM webhook_secret s WHERE s.organization_id = w.organization_id AND s.endpoint_id = w.id
      AND (s.expires_at IS NULL OR s.expires_at > kt_now()) ORDER BY s.expires_at DESC NULLS FIRST, s.id DESC),
    e.kind, e.sequence, e.created_at, e.payload
  FROM webhook_endpoint w JOIN outbox_event e ON e.organization_id = w.organization_id
  WHERE w.organization_id = p_organization AND w.id = p_endpoint AND e.id = p_event
$$;

ALTER FUNCTION webhook_delivery OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION webhook_delivery FROM PUBLIC;
GRANT EXECUTE ON FUNCTION webhook_delivery TO kilotoken_backoffice, kilotoken_app;
