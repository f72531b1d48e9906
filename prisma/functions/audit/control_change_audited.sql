-- Trigger at the end of a transaction that changed tables of the control plane: appends one audit entry for each changed organization,
-- unless the transaction has appended one itself. So no change commits without its entry, whichever code or hand made it, and the heads
-- of audit chains are a transaction's last locks.
--
-- The entry takes its action, address, request and impersonated organization from `kilotoken.actor` ({…, act: {action, ip, requestId,
-- onBehalfOf}}). Without an action it names the first change, as `api_key.update`. Its object is the first changed row. One changed row
-- gives its values before and after; several give theirs by row, of the first hundred.
CREATE OR REPLACE FUNCTION control_change_audited() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_act jsonb := control_actor() -> 'act';
BEGIN
  IF EXISTS (SELECT FROM audit_chain WHERE organization_id = coalesce(NEW.organization_id, platform_organization()) AND transaction = pg_current_xact_id() AND begun_at = now()) THEN
    RETURN NULL;
  END IF;
  PERFORM audit_append((
    WITH change AS (
      SELECT c.*, row_number() OVER (PARTITION BY c.organization_id ORDER BY c.id) AS place, count(*) OVER (PARTITION BY c.organization_id) AS changes,
        coalesce((SELECT string_agg(k.value, ':') FROM jsonb_each_text(c.row_key) k WHERE k.key <> 'organization_id'), c.organization_id::text) AS object_id
      FROM control_change c WHERE c.transaction = pg_current_xact_id() AND NOT EXISTS (SELECT FROM audit_chain h
        WHERE h.organization_id = coalesce(c.organization_id, platform_organization()) AND h.transaction = pg_current_xact_id() AND h.begun_at = now())),
    listed AS (
      SELECT organization_id, table_name, object_id, min(place) AS place, (array_agg(before ORDER BY place))[1] AS before, (array_agg(after ORDER BY place DESC))[1] AS after, max(changes) AS changes
      FROM change WHERE place <= 100 GROUP BY organization_id, table_name, object_id)
    SELECT jsonb_agg(jsonb_build_object('organization', f.organization_id, 'action', coalesce(v_act ->> 'action', f.table_name || '.' || f.change), 'object_type', f.table_name,
      'object_id', f.object_id, 'before', o.before, 'after', o.after, 'ip', v_act ->> 'ip', 'request_id', v_act ->> 'requestId', 'on_behalf_of', v_act ->> 'onBehalfOf'))
    FROM change f CROSS JOIN LATERAL (
      SELECT CASE WHEN f.changes = 1 THEN f.before ELSE jsonb_object_agg(l.table_name || ' ' || l.object_id, l.before) FILTER (WHERE l.before IS NOT NULL) END AS before,
        CASE WHEN f.changes = 1 THEN f.after ELSE jsonb_object_agg(l.table_name || ' ' || l.object_id, l.after) FILTER (WHERE l.after IS NOT NULL)
          || CASE WHEN f.changes > 100 THEN jsonb_build_object('changes', f.changes) ELSE '{}' END END AS after
      FROM listed l WHERE l.organization_id IS NOT DISTINCT FROM f.organization_id) o
    WHERE f.place = 1));
  RETURN NULL;
END $$;

ALTER FUNCTION control_change_audited OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION control_change_audited FROM PUBLIC;

CREATE CONSTRAINT TRIGGER control_change_audited AFTER INSERT ON control_change DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION control_change_audited();
