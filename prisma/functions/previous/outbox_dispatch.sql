-- As events_dispatch. How often a job is tried, its queue says when it is taken.
CREATE OR REPLACE FUNCTION outbox_dispatch(p_limit integer, p_mailed text[], p_webhook_attempts smallint, p_mail_attempts smallint) RETURNS integer
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$ SELECT events_dispatch(p_limit, p_mailed) $$;

ALTER FUNCTION outbox_dispatch OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION outbox_dispatch FROM PUBLIC;
GRANT EXECUTE ON FUNCTION outbox_dispatch TO kilotoken_backoffice, kilotoken_app;
