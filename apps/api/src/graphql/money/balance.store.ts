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
  /** Charged in the last seven days. */
  readonly burned: string;
  /** Since the first use in them; at least a day, at most seven. */
  readonly burnedDays: number;
  readonly now: Date;
}

/** Slices that lie idle with a gateway count as available. What a grant that is over has left is nobody's. */
export const readBalances = async (db: Db, organizationIds: readonly string[]): Promise<BalanceRow[][]> => {
  const { rows } = await db.query<BalanceRow>(
    `WITH asked AS (SELECT unnest($1::uuid[]) AS id),
     burn AS (
       SELECT r.organization_id, r.unit, sum(r.charge) AS charge, min(r.starts_at) AS since
       FROM asked JOIN usage_rollup r ON r.organization_id = asked.id AND r.grain_minutes = 1440 AND r.tag_key = '' AND r.starts_at > kt_now() - interval '7 days'
       GROUP BY r.organization_id, r.unit)
     SELECT asked.id AS "organizationId", b.unit,
       coalesce(sum(b.available + b.leased - b.spent_open - b.held_elsewhere) FILTER (WHERE b.effective_at <= kt_now() AND (b.expires_at IS NULL OR b.expires_at > kt_now())), 0)::text AS available,
       sum(b.held_elsewhere)::text AS held, sum(b.granted - b.removed)::text AS granted, sum(b.settled + b.spent_open)::text AS used,
       min(b.expires_at) FILTER (WHERE b.expires_at > kt_now() AND b.available + b.leased > 0) AS "expiresNext",
       coalesce(max(burn.charge), 0)::text AS burned, least(7, greatest(1, extract(epoch FROM kt_now() - max(burn.since)) / 86400))::float8 AS "burnedDays", kt_now() AS now
     FROM asked CROSS JOIN LATERAL grant_balances(asked.id, NULL) b LEFT JOIN burn ON burn.organization_id = asked.id AND burn.unit = b.unit
     GROUP BY asked.id, b.unit ORDER BY b.unit`,
    [organizationIds],
  );
  return rowsByKey(organizationIds, rows, ({ organizationId }) => organizationId);
};
