import { parseMoney, type Money } from '@kilotoken/money';
import type { RawDb } from '@kilotoken/platform';

export interface RecentUse {
  readonly unit: string;
  readonly used: Money;
  /** The beginning of the first quarter of an hour with use. */
  readonly firstUseAt: Date;
}

/** The use of each unit in the last days, by quarters of an hour. */
export const listRecentUse = async (db: RawDb, organizationId: string, days: number): Promise<RecentUse[]> => {
  const rows = await db.$queryRaw<{ unit: string; used: string; firstUseAt: Date }[]>`
    SELECT unit, sum(charge)::text AS used, min(starts_at) AS "firstUseAt" FROM usage_rollup
    WHERE organization_id = ${organizationId}::uuid AND grain_minutes = 15 AND tag_key = '' AND charge > 0
      AND starts_at > kt_now() - make_interval(days => ${days}::integer) GROUP BY unit ORDER BY unit`;
  return rows.map((row) => ({ ...row, used: parseMoney(row.used) }));
};

/** Grants that are being refunded: nothing more is spent of them. */
export const listClosingGrantIds = async (db: RawDb, organizationId: string): Promise<ReadonlySet<string>> => {
  const rows = await db.$queryRaw<{ id: string }[]>`SELECT id::text AS id FROM credit_grant WHERE organization_id = ${organizationId}::uuid AND closing_at IS NOT NULL`;
  return new Set(rows.map(({ id }) => id));
};

interface BudgetRow {
  readonly limitId: string;
  readonly periodStart: Date;
  readonly periodEnd: Date;
  readonly alerted: number[];
}

/** Of each calendar budget or rolling budget: its period now, and the percents that were told in it. */
export const listBudgetPeriods = async (db: RawDb, organizationId: string): Promise<BudgetRow[]> =>
  db.$queryRaw<BudgetRow[]>`
    SELECT p.id::text AS "limitId", p.starts_at AS "periodStart", p.ends_at AS "periodEnd",
      ARRAY(SELECT a.percent FROM budget_alert a WHERE a.organization_id = p.organization_id AND a.limit_id = p.id AND a.period_start = p.starts_at AND a.amount = p.amount ORDER BY a.percent) AS alerted
    FROM (
      SELECT l.organization_id, l.id, l.amount,
        CASE WHEN l.window_kind = 'rolling' THEN date_bin(s.span, kt_now(), 'epoch') ELSE 'epoch'::timestamptz + w.start_ms * interval '1 millisecond' END AS starts_at,
        CASE WHEN l.window_kind = 'rolling' THEN date_bin(s.span, kt_now(), 'epoch') + s.span ELSE 'epoch'::timestamptz + w.end_ms * interval '1 millisecond' END AS ends_at
      FROM usage_limit l JOIN organization o ON o.id = l.organization_id CROSS JOIN LATERAL limit_window(l, o.time_zone, kt_now()) w
      CROSS JOIN LATERAL (SELECT greatest(l.window_ms, 86400000) * interval '1 millisecond' AS span) s
      WHERE l.organization_id = ${organizationId}::uuid AND l.window_kind <> 'none') p`;
