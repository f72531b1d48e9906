-- The caller with the key of a hash: its organization, project and lineage, the key's own settings, its limits, and the pack units that
-- its organization holds, with the models that they pay for (null: all). No row: no such key.
CREATE OR REPLACE FUNCTION key_resolve_caller(p_hash bytea)
RETURNS TABLE (organization_id uuid, account_root_id uuid, price_book_id uuid, organization_status text, project_id uuid, api_key_id uuid,
  allowed_models text[], expires_at timestamptz, revoked_at timestamptz, lineage_id uuid, limits json, unsupported_parameters text, max_tokens_above text, packs json)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT k.organization_id, o.account_root_id, o.price_book_id, o.status, k.project_id, k.id, k.allowed_models, k.expires_at, k.revoked_at,
    coalesce(k.lineage_id, k.id), (
    SELECT json_agg(json_build_object('id', l.id, 'subjectKind', l.subject_kind, 'subjectId', l.subject_id, 'measure', l.measure, 'unit', l.unit,
      'windowKind', l.window_kind, 'windowMs', l.window_ms, 'amount', l.amount::text, 'mode', l.mode) ORDER BY l.id)
    FROM usage_limit l WHERE l.organization_id = k.organization_id AND (l.subject_kind IN ('organization', 'end_user')
      OR (l.subject_kind = 'project' AND l.subject_id = k.project_id) OR (l.subject_kind = 'key' AND l.subject_id = coalesce(k.lineage_id, k.id)))),
    k.unsupported_parameters, k.max_tokens_above, (
    SELECT json_agg(json_build_object('unit', g.unit, 'models', g.scope_models))
    FROM (SELECT DISTINCT c.unit, c.scope_models FROM credit_grant c JOIN pack_unit p ON p.unit = c.unit
      WHERE c.organization_id = k.organization_id AND c.available + c.leased > 0 AND c.closing_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > kt_now())) g)
  FROM api_key k JOIN organization o ON o.id = k.organization_id WHERE k.hash = p_hash
$$;

ALTER FUNCTION key_resolve_caller OWNER TO kilotoken_definer;
REVOKE ALL ON FUNCTION key_resolve_caller FROM PUBLIC;
GRANT EXECUTE ON FUNCTION key_resolve_caller TO kilotoken_gateway, kilotoken_app;
