import type { Db } from '@kilotoken/platform';
import { rowByKey, rowsByKey } from '../shapes/grouping.js';

/** A limit with the name of its subject and the window under way. Amounts are NUMERIC as text. */
export interface LimitRow {
  readonly organizationId: string;
  readonly id: string;
  readonly subjectKind: 'organization' | 'project' | 'key' | 'end_user';
  readonly subjectId: string;
  /** Of the last key of a line that was rolled. */
  readonly subjectName: string | null;
  readonly measure: string;
  readonly unit: string;
  readonly windowKind: 'day' | 'week' | 'month' | 'rolling' | 'none';
  readonly windowMs: bigint;
  readonly amount: string;
  readonly mode: string;
  /** Null for end users, each of whom has a count. */
  readonly counted: string | null;
  readonly windowStart: Date;
  readonly windowEnd: Date;
  readonly createdAt: Date;
  readonly alertPercents: number[];
  /** Those that were told in the window under way. */
  readonly alerted: number[];
}

/** The limits of each organization in the order of their making. Counts include slices that gateways have set aside. */
export const listLimits = async (db: Db, organizationIds: readonly string[]): Promise<LimitRow[][]> => {
  const { rows } = await db.query<LimitRow>(
    `SELECT l.organization_id AS "organizationId", l.id, l.subject_kind AS "subjectKind", l.subject_id AS "subjectId",
       CASE l.subject_kind WHEN 'project' THEN (SELECT p.name FROM project p WHERE p.organization_id = l.organization_id AND p.id = l.subject_id)
         WHEN 'key' THEN (SELECT k.name FROM api_key k WHERE k.organization_id = l.organization_id AND coalesce(k.lineage_id, k.id) = l.subject_id ORDER BY k.id DESC LIMIT 1)
         WHEN 'organization' THEN o.name END AS "subjectName",
       l.measure, l.unit, l.window_kind AS "windowKind", l.window_ms AS "windowMs", l.amount::text AS amount, l.mode,
       CASE WHEN l.subject_kind <> 'end_user' THEN (SELECT coalesce(sum(c.taken), 0)::text FROM limit_counter c
         WHERE c.organization_id = l.organization_id AND c.limit_id = l.id AND c.window_end_ms > w.counted_from_ms) END AS counted,
       p.starts_at AS "windowStart", p.ends_at AS "windowEnd", l.created_at AS "createdAt", l.alert_percents AS "alertPercents",
       ARRAY(SELECT a.percent FROM budget_alert a WHERE a.organization_id = l.organization_id AND a.limit_id = l.id AND a.period_start = p.starts_at AND a.amount = l.amount
         ORDER BY a.percent) AS alerted
     FROM usage_limit l JOIN organization o ON o.id = l.organization_id CROSS JOIN LATERAL limit_window(l, o.time_zone, kt_now()) w
     CROSS JOIN LATERAL (SELECT greatest(l.window_ms, 86400000) * interval '1 millisecond' AS span) s
     CROSS JOIN LATERAL (SELECT
       CASE WHEN l.window_kind IN ('rolling', 'none') THEN date_bin(s.span, kt_now(), 'epoch') ELSE 'epoch'::timestamptz + w.start_ms * interval '1 millisecond' END AS starts_at,
       CASE WHEN l.window_kind IN ('rolling', 'none') THEN date_bin(s.span, kt_now(), 'epoch') + s.span ELSE 'epoch'::timestamptz + w.end_ms * interval '1 millisecond' END AS ends_at) p
     WHERE l.organization_id = ANY ($1::uuid[]) ORDER BY l.created_at, l.id`,
    [organizationIds],
  );
  return rowsByKey(organizationIds, rows, ({ organizationId }) => organizationId);
};

export interface AlertRow {
  readonly organizationId: string;
  readonly email: string | null;
  readonly lowBalances: { unit: string; amount: string }[];
}

export const readAlertSettings = async (db: Db, organizationIds: readonly string[]): Promise<AlertRow[]> => {
  const { rows } = await db.query<AlertRow>(
    `SELECT o.id AS "organizationId", (SELECT email FROM notice_address a WHERE a.organization_id = o.id) AS email,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('unit', b.unit, 'amount', b.threshold::text) ORDER BY b.unit), '[]') FROM balance_notice b
         WHERE b.organization_id = o.id AND b.threshold IS NOT NULL) AS "lowBalances"
     FROM unnest($1::uuid[]) o(id)`,
    [organizationIds],
  );
  return rowByKey(organizationIds, rows, ({ organizationId }) => organizationId).map((row) => row!);
};
