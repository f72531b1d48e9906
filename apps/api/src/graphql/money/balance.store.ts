import type { Db } from '@kilotoken/platform';
import { rowsByKey } from '../shapes/grouping.js';

/** Sums of an organization's grants in one unit, in one snapshot. Amounts are NUMERIC as text. */
export interface BalanceRow {
  readonly organizationId: string;
  readonly unit: string;
  readonly available: string;
  readonly held: string;
  readonly granted: string;
  readonly used: string;
  readonly expiresNext: Date | null;
  /** Grants that may be spent now or later, in the order in which they burn. */
  readonly grants: readonly { readonly available: string; readonly effectiveAt: string; readonly expiresAt: string | null }[];
  /** Charged in the days of UTC that began within the last seven. */
  readonly burned: string;
  /** The beginning of the first quarter of an hour of it. */
  readonly firstUseAt: Date | null;
  readonly now: Date;
}

/** Slices that lie idle with a gateway count as available. A grant that is over, or is being refunded, has nothing for anybody. */
export const readBalances = async (db: Db, organizationIds: readonly string[]): Promise<BalanceRow[][]> => {
  const { rows } = await db.query<BalanceRow>(
    `WITH asked AS (SELECT unnest($1::uuid[]) AS id),
     days AS (
       SELECT r.organization_id, r.unit, sum(r.charge) AS charge, min(r.starts_at) FILTER (WHERE r.charge > 0) AS first_day
       FROM asked JOIN usage_rollup r ON r.organization_id = asked.id AND r.grain_minutes = 1440 AND r.tag_key = '' AND r.starts_at > kt_now() - interval '7 days'
       GROUP BY r.organization_id, r.unit),
     burn AS (
       SELECT d.organization_id, d.unit, d.charge, (SELECT min(r.starts_at) FROM usage_rollup r WHERE r.organization_id = d.organization_id AND r.grain_minutes = 15
         AND r.tag_key = '' AND r.starts_at >= d.first_day AND r.starts_at < d.first_day + interval '1 day' AND r.unit = d.unit AND r.charge > 0) AS first_use_at
       FROM days d),
     grants AS (
       SELECT asked.id AS organization_id, b.*, b.available + b.leased - b.spent_open - b.held_elsewhere AS free, g.closing_at IS NULL AND (b.expires_at IS NULL OR b.expires_at > kt_now()) AS alive
       FROM asked CROSS JOIN LATERAL grant_balances(asked.id, NULL) WITH ORDINALITY AS b(id, source, unit, priority, granted, removed, available, leased, settled,
         spent_open, held_elsewhere, effective_at, expires_at, created_at, position)
       JOIN credit_grant g ON g.organization_id = asked.id AND g.id = b.id)
     SELECT g.organization_id AS "organizationId", g.unit, coalesce(sum(g.free) FILTER (WHERE g.alive AND g.effective_at <= kt_now()), 0)::text AS available,
       sum(g.held_elsewhere)::text AS held, sum(g.granted - g.removed)::text AS granted, sum(g.settled + g.spent_open)::text AS used,
       min(g.expires_at) FILTER (WHERE g.alive AND g.available + g.leased > 0) AS "expiresNext",
       coalesce(jsonb_agg(jsonb_build_object('available', g.free::text, 'effectiveAt', g.effective_at, 'expiresAt', g.expires_at) ORDER BY g.position)
         FILTER (WHERE g.alive AND g.free > 0), '[]') AS grants,
       coalesce(max(burn.charge), 0)::text AS burned, max(burn.first_use_at) AS "firstUseAt", kt_now() AS now
     FROM grants g LEFT JOIN burn ON burn.organization_id = g.organization_id AND burn.unit = g.unit
     GROUP BY g.organization_id, g.unit ORDER BY g.unit`,
    [organizationIds],
  );
  return rowsByKey(organizationIds, rows, ({ organizationId }) => organizationId);
};
