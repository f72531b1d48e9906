import type { Db } from '@kilotoken/platform';
import { rowsByKey } from '../shapes/grouping.js';

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
       CASE WHEN l.window_kind IN ('rolling', 'none') THEN kt_now() - make_interval(secs => l.window_ms / 1000.0) ELSE to_timestamp(w.start_ms / 1000.0) END AS "windowStart",
       CASE WHEN l.window_kind IN ('rolling', 'none') THEN kt_now() ELSE to_timestamp(w.end_ms / 1000.0) END AS "windowEnd", l.created_at AS "createdAt"
     FROM usage_limit l JOIN organization o ON o.id = l.organization_id CROSS JOIN LATERAL limit_window(l, o.time_zone, kt_now()) w
     WHERE l.organization_id = ANY ($1::uuid[]) ORDER BY l.created_at, l.id`,
    [organizationIds],
  );
  return rowsByKey(organizationIds, rows, ({ organizationId }) => organizationId);
};
