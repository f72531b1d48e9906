-- Numbers waiting events in the order of their ids and makes their jobs: one for each matching webhook endpoint, and one mail to the
-- organization's notice address for a kind in p_mailed. One transaction, one dispatcher at a time: an event whose cause committed before
-- another's began has the smaller number. Answers the number of events.
CREATE OR REPLACE FUNCTION events_dispatch(p_limit integer, p_mailed text[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_organizations uuid[]; v_events uuid[];
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('outbox_dispatch', 0)) THEN RETURN 0; END IF;
  WITH waiting AS MATERIALIZED (
    SELECT organization_id, id, row_number() OVER (PARTITION BY organization_id ORDER BY id) AS place
    FROM (SELECT organization_id, id FROM outbox_event WHERE sequence IS NULL ORDER BY id LIMIT p_limit) o),
  position AS (
    INSERT INTO outbox_position AS p (organization_id, sequence) SELECT organization_id, count(*) FROM waiting GROUP BY 1 ORDER BY 1
      ON CONFLICT (organization_id) DO UPDATE SET sequence = p.sequence + excluded.sequence
      RETURNING organization_id, sequence),
  many AS (SELECT organization_id, count(*) AS events FROM waiting GROUP BY 1),
  numbered AS (
    UPDATE outbox_event o SET sequence = p.sequence - m.events + w.place
    FROM waiting w JOIN position p ON p.organization_id = w.organization_id JOIN many m ON m.organization_id = w.organization_id
    WHERE o.organization_id = w.organization_id AND o.id = w.id
    RETURNING o.organization_id, o.id)
  SELECT array_agg(organization_id), array_agg(id) INTO v_organizations, v_events FROM numbered;

  PERFORM outbox_enqueue(d.organization_id, d.queue, d.key, d.payload, d.event_id) FROM (
    SELECT e.organization_id, e.id AS event_id, 'deliver-webhook' AS queue, e.id || ':' || w.id AS key, jsonb_build_object('endpoint_id', w.id) AS payload
    FROM unnest(v_organizations, v_events) AS n (organization_id, id) JOIN outbox_event e ON e.organization_id = n.organization_id AND e.id = n.id
      JOIN webhook_endpoint w ON w.organization_id = e.organization_id
    WHERE w.disabled_at IS NULL AND (w.kinds IS NULL OR e.kind = ANY (w.kinds))
    UNION ALL
    SELECT e.organization_id, e.id, 'send-mail', e.id::text, jsonb_build_object('address', a.email)
    FROM unnest(v_organizations, v_events) AS n (organization_id, id) JOIN outbox_event e ON e.organization_id = n.organization_id AND e.id = n.id
      JOIN notice_address a ON a.organization_id = e.organization_id WHERE e.kind = ANY (p_mailed)
    ORDER BY event_id) d;
  RETURN coalesce(cardinality(v_events), 0);
END $$;

ALTER FUNCTION events_dispatch OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION events_dispatch FROM PUBLIC;
GRANT EXECUTE ON FUNCTION events_dispatch TO kilotoken_backoffice, kilotoken_app;
