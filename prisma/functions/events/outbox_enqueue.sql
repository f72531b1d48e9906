-- Enqueues a job in the caller's transaction, for an organization or for platform_organization(). The same (queue, key) of an owner is
-- the same job while its row is kept: a repetition changes nothing and answers false. The queue's processor checks the payload against
-- its schema; the queue's back-off sets attempts_max when the job is taken. p_event: the event that caused the job; null if none did.
CREATE OR REPLACE FUNCTION outbox_enqueue(p_organization uuid, p_queue text, p_key text, p_payload jsonb, p_event uuid DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  INSERT INTO outbox_job (organization_id, id, queue, key, event_id, payload) VALUES (p_organization, uuidv7(), p_queue, p_key, p_event, p_payload)
    ON CONFLICT (organization_id, queue, key) DO NOTHING;
  RETURN FOUND;
END $$;

ALTER FUNCTION outbox_enqueue OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION outbox_enqueue FROM PUBLIC;
GRANT EXECUTE ON FUNCTION outbox_enqueue TO kilotoken_backoffice, kilotoken_app;
