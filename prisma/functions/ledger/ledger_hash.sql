-- SHA-256 over the canonical text of a transaction, a line each: a mark of this form, organization, position, id, kind, source, the moment
-- of posting in microseconds since 1970, its postings in their order, the hash before it. docs/ledger.md shows one.
CREATE OR REPLACE FUNCTION ledger_hash(organization uuid, "position" bigint, id uuid, kind text, source text, posted_at timestamptz, postings text, previous bytea)
RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT sha256(convert_to(concat_ws(E'\n', 'kilotoken-ledger-1', organization, "position", id, to_json(kind), to_json(source),
    (extract(epoch FROM posted_at) * 1000000)::bigint, postings, encode(previous, 'hex')), 'UTF8'))
$$;

REVOKE ALL ON FUNCTION ledger_hash FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_hash TO kilotoken_definer, kilotoken_control, kilotoken_api, kilotoken_staff;
