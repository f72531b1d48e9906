-- SHA-256 over the canonical text of an entry: a JSON array, as jsonb writes it, of a mark of this form, organization, sequence, the moment in
-- microseconds since 1970, actor, on behalf of, action, object, before, after, address, request and the hash before it.
-- docs/operations/accounts.md shows one.
CREATE OR REPLACE FUNCTION audit_hash(e audit_entry, previous bytea) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT sha256(convert_to(jsonb_build_array('kilotoken-audit-1', e.organization_id, e.seq, (extract(epoch FROM e.at) * 1000000)::bigint, e.actor_kind, e.actor_id, e.on_behalf_of,
    e.action, e.object_type, e.object_id, e.before, e.after, e.ip, e.request_id, encode(previous, 'hex'))::text, 'UTF8'))
$$;

REVOKE ALL ON FUNCTION audit_hash FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_hash TO kilotoken_definer;
