-- As outbox_forget, for the queues that the release before knows.
CREATE OR REPLACE FUNCTION outbox_prune(p_days integer, p_limit integer) RETURNS integer
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT outbox_forget(ARRAY['deliver-webhook', 'send-mail'], ARRAY[p_days, p_days], p_days, p_limit)
$$;

ALTER FUNCTION outbox_prune OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION outbox_prune FROM PUBLIC;
GRANT EXECUTE ON FUNCTION outbox_prune TO kilotoken_backoffice, kilotoken_app;
