-- As outbox_jobs_take, for the queues that the release before knows.
CREATE OR REPLACE FUNCTION outbox_jobs_due(p_limit integer, p_per_organization integer, p_silence_ms integer)
RETURNS TABLE (organization_id uuid, id uuid, queue text, attempts smallint)
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT * FROM outbox_jobs_take(ARRAY['deliver-webhook', 'send-mail'], ARRAY[10, 8]::smallint[], p_limit, p_per_organization, p_silence_ms)
$$;

ALTER FUNCTION outbox_jobs_due OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION outbox_jobs_due FROM PUBLIC;
GRANT EXECUTE ON FUNCTION outbox_jobs_due TO kilotoken_backoffice, kilotoken_app;
