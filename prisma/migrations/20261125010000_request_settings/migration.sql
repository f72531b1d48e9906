-- Why: how freely clients may ask. A model says what one image can cost at most and what becomes of a parameter that none of its lanes
-- understands, or of a `max_tokens` above its own; a key may say the latter two for itself. A lane says whether a vendor whose client left is
-- read to the end of its answer for the true usage.
-- Locks: a moment's ACCESS EXCLUSIVE on model, lane and api_key; defaults that are constants rewrite nothing.

ALTER TABLE model
  -- Null: the gateway's default for token limits, and the context window for the hold.
  ADD COLUMN image_tokens integer CHECK (image_tokens >= 1),
  ADD COLUMN unsupported_parameters text NOT NULL DEFAULT 'drop' CHECK (unsupported_parameters IN ('drop', 'refuse')),
  ADD COLUMN max_tokens_above text NOT NULL DEFAULT 'refuse' CHECK (max_tokens_above IN ('refuse', 'clamp'));

ALTER TABLE lane ADD COLUMN drain boolean NOT NULL DEFAULT false;

-- Null: as the model says.
ALTER TABLE api_key
  ADD COLUMN unsupported_parameters text CHECK (unsupported_parameters IN ('drop', 'refuse')),
  ADD COLUMN max_tokens_above text CHECK (max_tokens_above IN ('refuse', 'clamp'));

-- As key_resolve, which the previous release goes on to call, with the key's own settings.
CREATE FUNCTION key_caller(p_hash bytea)
RETURNS TABLE (organization_id uuid, account_root_id uuid, price_book_id uuid, organization_status text, project_id uuid, api_key_id uuid,
  allowed_models text[], expires_at timestamptz, revoked_at timestamptz, lineage_id uuid, limits json, unsupported_parameters text, max_tokens_above text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT r.organization_id, r.account_root_id, r.price_book_id, r.organization_status, r.project_id, r.api_key_id, r.allowed_models, r.expires_at,
    r.revoked_at, r.lineage_id, r.limits, k.unsupported_parameters, k.max_tokens_above
  FROM key_resolve(p_hash) r JOIN api_key k ON k.organization_id = r.organization_id AND k.id = r.api_key_id
$$;

REVOKE EXECUTE ON FUNCTION key_caller(bytea) FROM PUBLIC;
DO $$
BEGIN
  EXECUTE format('GRANT kilotoken_definer TO %I WITH SET TRUE', current_user);
  EXECUTE 'GRANT CREATE ON SCHEMA public TO kilotoken_definer';
  ALTER FUNCTION key_caller(bytea) OWNER TO kilotoken_definer;
  EXECUTE 'REVOKE CREATE ON SCHEMA public FROM kilotoken_definer';
END $$;
GRANT EXECUTE ON FUNCTION key_caller(bytea) TO kilotoken_app;
