-- Every grant of an organization in one snapshot. `spent_open`: spent so far by open leases; `held_elsewhere`: held by open requests of
-- sessions other than p_session (the asking gateway knows its own to the digit).
CREATE OR REPLACE FUNCTION grant_balances(p_organization uuid, p_session uuid)
RETURNS TABLE (id uuid, source text, unit text, priority smallint, granted numeric, removed numeric, available numeric, leased numeric,
  settled numeric, spent_open numeric, held_elsewhere numeric, effective_at timestamptz, expires_at timestamptz, created_at timestamptz)
LANGUAGE sql STABLE
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT g.id, g.source, g.unit, g.priority, g.granted + g.adjusted, g.refunded + g.expired + g.rolled_over + g.transferred,
    g.available, g.leased, g.settled,
    coalesce((SELECT sum((a ->> 'amount')::numeric) FROM lease l
      JOIN usage u ON u.organization_id = l.organization_id AND u.session_id = l.session_id AND u.id >= l.first_usage_id
      CROSS JOIN LATERAL jsonb_array_elements(u.allocations) a
      WHERE l.organization_id = g.organization_id AND l.grant_id = g.id AND l.closed_at IS NULL AND (a ->> 'lease')::uuid = l.id), 0),
    coalesce((SELECT sum((h ->> 'amount')::numeric) FROM open_request o CROSS JOIN LATERAL jsonb_array_elements(o.holds) h
      WHERE o.organization_id = g.organization_id AND o.session_id IS DISTINCT FROM p_session AND (h ->> 'grant')::uuid = g.id), 0),
    g.effective_at, g.expires_at, g.created_at
  FROM credit_grant g WHERE g.organization_id = p_organization
  ORDER BY g.priority, g.expires_at NULLS LAST, g.promotional DESC, g.effective_at, g.created_at, g.id
$$;

REVOKE ALL ON FUNCTION grant_balances FROM PUBLIC;
GRANT EXECUTE ON FUNCTION grant_balances TO kilotoken_definer, kilotoken_gateway, kilotoken_app, kilotoken_control, kilotoken_api, kilotoken_staff;
