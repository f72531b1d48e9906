-- A gateway's poll: whether its session is alive, the changes since its known version, its recalled leases and limits, and the time. More
-- than 1,000 changes at once are answered with `changes: null`: clear every cache.
CREATE OR REPLACE FUNCTION gateway_poll(p_session uuid, p_since bigint) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT json_build_object(
    'alive', EXISTS (SELECT FROM session WHERE id = p_session AND reaped_at IS NULL),
    'version', v.version::text,
    'nowMs', extract(epoch FROM kt_now()) * 1000 + extract(epoch FROM clock_timestamp() - now()) * 1000,
    'changes', CASE WHEN v.version - p_since <= 1000 THEN
      (SELECT coalesce(json_agg(json_build_object('kind', c.kind, 'organizationId', c.organization_id) ORDER BY c.version), '[]'::json)
       FROM config_change c WHERE c.version > p_since AND c.version <= v.version) END,
    'recalled', (SELECT coalesce(json_agg(json_build_object('organizationId', l.organization_id, 'leaseId', l.id)), '[]'::json)
      FROM (SELECT organization_id, id FROM lease WHERE session_id = p_session AND closed_at IS NULL AND recalled_at IS NOT NULL LIMIT 1000) l),
    'recalledLimits', (SELECT coalesce(json_agg(json_build_object('organizationId', s.organization_id, 'limitId', s.limit_id, 'subject', s.subject)), '[]'::json)
      FROM (SELECT DISTINCT organization_id, limit_id, subject FROM limit_slice WHERE session_id = p_session AND recalled_at IS NOT NULL LIMIT 1000) s))
  FROM config_version v
$$;

ALTER FUNCTION gateway_poll OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION gateway_poll FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gateway_poll TO kilotoken_gateway, kilotoken_app;
