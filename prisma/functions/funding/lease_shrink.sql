-- Shrinks leases of a session to their remaining need. p_rows: [{organization, lease, keep, close}]. `keep` is the remaining slice, an
-- absolute amount, so a repeated execution changes nothing; with `close` it is the lease's settled amount. A lease that is named twice is
-- shrunk once, to the smaller remainder. An amount that returns to an expired grant expires in this transaction; one that returns to a
-- grant with a waiting refund of a part is refunded in it. The caller has taken the fence. Answers the number of changed leases.
CREATE OR REPLACE FUNCTION lease_shrink(p_session uuid, p_rows json) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE v_now timestamptz := kt_now(); v_changed integer := 0; e record;
BEGIN
  PERFORM FROM credit_grant c WHERE (c.organization_id, c.id) IN (
      SELECT l.organization_id, l.grant_id FROM lease l
      JOIN json_to_recordset(p_rows) AS r(organization uuid, lease uuid) ON l.organization_id = r.organization AND l.id = r.lease)
    ORDER BY c.organization_id, c.id FOR UPDATE;
  PERFORM FROM lease l WHERE (l.organization_id, l.id) IN (SELECT r.organization, r.lease FROM json_to_recordset(p_rows) AS r(organization uuid, lease uuid))
    ORDER BY l.organization_id, l.id FOR UPDATE;
  FOR e IN
    WITH due AS (
      SELECT r.organization, r.lease, min(r.keep) AS keep, bool_or(r.close) AS close
      FROM json_to_recordset(p_rows) AS r(organization uuid, lease uuid, keep numeric, close boolean) GROUP BY 1, 2),
    before AS (
      SELECT l.organization_id, l.id, l.grant_id, l.slice, r.keep, r.close
      -- OFFSET: looks up each lease by its key. The planner once used its session and read all open leases for each.
      FROM due r CROSS JOIN LATERAL (SELECT * FROM lease WHERE organization_id = r.organization AND id = r.lease OFFSET 0) l
      WHERE l.session_id = p_session AND l.closed_at IS NULL),
    shrunk AS (
      UPDATE lease l SET slice = least(l.slice, b.keep), recalled_at = NULL,
        settled = CASE WHEN b.close THEN b.keep END, closed_at = CASE WHEN b.close THEN v_now END
      FROM before b WHERE l.organization_id = b.organization_id AND l.id = b.id),
    per_grant AS (
      SELECT organization_id, grant_id, sum(slice - least(slice, keep)) AS returned, coalesce(sum(keep) FILTER (WHERE close), 0) AS settled,
        count(*)::integer AS leases FROM before GROUP BY 1, 2),
    changed AS (
      UPDATE credit_grant c SET leased = c.leased - p.returned - p.settled, settled = c.settled + p.settled,
        available = c.available + CASE WHEN c.expires_at <= v_now THEN 0 ELSE p.returned END,
        expired = c.expired + CASE WHEN c.expires_at <= v_now THEN p.returned ELSE 0 END
      FROM per_grant p WHERE c.organization_id = p.organization_id AND c.id = p.grant_id
      RETURNING c.organization_id, c.id, c.unit, c.expired, p.returned, p.leases, coalesce(c.expires_at <= v_now, false) AS is_over)
    SELECT * FROM changed ORDER BY organization_id, id
  LOOP
    v_changed := v_changed + e.leases;
    CONTINUE WHEN e.returned = 0;
    IF e.is_over THEN
      PERFORM ledger_post(e.organization_id, 'grant_expired', e.id::text || ':' || e.expired::text,
        ledger_pair('grant_liability', 'breakage_revenue', e.unit, e.returned));
    ELSE
      -- A waiting refund comes before the next lease.
      PERFORM grant_refund_take(e.organization_id, e.id);
    END IF;
  END LOOP;
  RETURN v_changed;
END $$;

REVOKE ALL ON FUNCTION lease_shrink FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lease_shrink TO kilotoken_definer;
