-- Numbers waiting events in the order of their ids and makes their jobs: one for each matching webhook endpoint, and one mail to the
-- organization's notice address where the kind is in p_mailed. One transaction, one dispatcher at a time: an event whose cause committed
-- before another's began has the smaller number. Answers how many events it took.
CREATE OR REPLACE FUNCTION outbox_dispatch(p_limit integer, p_mailed text[], p_webhook_attempts smallint, p_mail_attempts smallint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_taken integer;
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('outbox_dispatch', 0)) THEN RETURN 0; END IF;
  WITH waiting AS MATERIALIZED (
    SELECT organization_id, id, kind, row_number() OVER (PARTITION BY organization_id ORDER BY id) AS place
    FROM (SELECT organization_id, id, kind FROM outbox_event WHERE sequence IS NULL ORDER BY id LIMIT p_limit) o),
  position AS (
    INSERT INTO outbox_position AS p (organization_id, sequence) SELECT organization_id, count(*) FROM waiting GROUP BY 1 ORDER BY 1
      ON CONFLICT (organization_id) DO UPDATE SET sequence = p.sequence + excluded.sequence
      RETURNING organization_id, sequence),
  many AS (SELECT organization_id, count(*) AS events FROM waiting GROUP BY 1),
  numbered AS (
    UPDATE outbox_event o SET sequence = p.sequence - m.events + w.place
    FROM waiting w JOIN position p ON p.organization_id = w.organization_id JOIN many m ON m.organization_id = w.organization_id
    WHERE o.organization_id = w.organization_id AND o.id = w.id),
  due AS (
    SELECT w.organization_id, w.id AS event_id, 'deliver-webhook' AS queue, w.id || ':' || e.id AS key,
      jsonb_build_object('endpoint_id', e.id) AS payload, p_webhook_attempts AS attempts_max
    FROM waiting w JOIN webhook_endpoint e ON e.organization_id = w.organization_id
    WHERE e.disabled_at IS NULL AND (e.kinds IS NULL OR w.kind = ANY (e.kinds))
    UNION ALL
    SELECT w.organization_id, w.id, 'send-mail', w.id::text, jsonb_build_object('address', a.email), p_mail_attempts
    FROM waiting w JOIN notice_address a ON a.organization_id = w.organization_id WHERE w.kind = ANY (p_mailed)),
  made AS (
    INSERT INTO outbox_job (organization_id, id, queue, key, event_id, payload, attempts_max)
    SELECT organization_id, uuidv7(), queue, key, event_id, payload, attempts_max FROM due ORDER BY event_id
    ON CONFLICT (organization_id, queue, key) DO NOTHING)
  SELECT count(*) INTO v_taken FROM waiting;
  RETURN v_taken;
END $$;

ALTER FUNCTION outbox_dispatch OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION outbox_dispatch FROM PUBLIC;
GRANT EXECUTE ON FUNCTION outbox_dispatch TO kilotoken_backoffice, kilotoken_app;
