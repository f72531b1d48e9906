-- Trigger: remembers each opened request, so that reconcile names one that vanishes before it is settled.
CREATE OR REPLACE FUNCTION opened_request_put() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  INSERT INTO opened_request (organization_id, id, session_id) SELECT o.organization_id, o.id, o.session_id FROM opened o ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;

REVOKE ALL ON FUNCTION opened_request_put FROM PUBLIC;

CREATE TRIGGER open_request_remembered AFTER INSERT ON open_request REFERENCING NEW TABLE AS opened
  FOR EACH STATEMENT EXECUTE FUNCTION opened_request_put();
