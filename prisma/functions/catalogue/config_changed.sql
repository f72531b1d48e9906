-- Gives a change the next version of the configuration and records it for gateway_poll. The version's row stays locked until the change
-- commits, so versions become visible in order. The last 10,000 changes are kept; a gateway that is further behind clears its caches.
CREATE OR REPLACE FUNCTION config_changed(p_kind text, p_organization uuid) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, public, pg_temp AS $$
  DELETE FROM config_change WHERE version <= (SELECT version FROM config_version) - 10000;
  WITH next AS (UPDATE config_version SET version = version + 1 RETURNING version)
  INSERT INTO config_change (version, kind, organization_id) SELECT version, p_kind, p_organization FROM next
$$;

REVOKE ALL ON FUNCTION config_changed FROM PUBLIC;
GRANT EXECUTE ON FUNCTION config_changed TO kilotoken_definer;
