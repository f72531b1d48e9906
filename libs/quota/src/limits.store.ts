import { parseMoney } from '@kilotoken/money';
import type { RawDb } from '@kilotoken/platform';
import type { PrismaDb } from '@kilotoken/platform/prisma';
import type { Amount, Limit } from './limit.js';

/** A limit as people see it; `counted`: what it counts now, where it has one subject. */
export interface StoredLimit extends Limit {
  readonly counted: Amount | null;
  /** Of a budget: at which percents of its amount its organization is told. */
  readonly alertPercents: readonly number[];
  readonly createdAt: Date;
  readonly changedAt: Date;
}

interface LimitRow {
  id: string;
  subject_kind: Limit['subjectKind'];
  subject_id: string;
  measure: Limit['measure'];
  unit: string;
  window_kind: Limit['windowKind'];
  window_ms: bigint;
  amount: string;
  mode: Limit['mode'];
  counted: string | null;
  alert_percents: number[];
  created_at: Date;
  changed_at: Date;
}

const toLimit = (row: LimitRow): StoredLimit => ({
  id: row.id,
  subjectKind: row.subject_kind,
  subjectId: row.subject_id,
  measure: row.measure,
  unit: row.unit,
  windowKind: row.window_kind,
  windowMs: Number(row.window_ms),
  amount: parseMoney(row.amount),
  mode: row.mode,
  counted: row.counted === null ? null : parseMoney(row.counted),
  alertPercents: row.alert_percents,
  createdAt: row.created_at,
  changedAt: row.changed_at,
});

/** A limit is what it is on, what it counts and in which window; setting it again changes how much, whether it stops, and of what it tells. */
export const upsertLimit = async (db: PrismaDb, organizationId: string, limit: Limit, amount: string, alertPercents: readonly number[] | null): Promise<string> => {
  const percents = alertPercents && [...alertPercents];
  const rows = await db.$queryRaw<{ id: string }[]>`
    INSERT INTO usage_limit (organization_id, id, subject_kind, subject_id, measure, unit, window_kind, window_ms, amount, mode, alert_percents)
    VALUES (${organizationId}::uuid, ${limit.id}::uuid, ${limit.subjectKind}, ${limit.subjectId}::uuid, ${limit.measure}, ${limit.unit}, ${limit.windowKind}, ${limit.windowMs}::bigint,
      ${amount}::numeric, ${limit.mode}, coalesce(${percents}::smallint[], '{50,80,100}'))
    ON CONFLICT (organization_id, subject_kind, subject_id, measure, unit, window_kind, window_ms)
      DO UPDATE SET amount = excluded.amount, mode = excluded.mode, alert_percents = coalesce(${percents}::smallint[], usage_limit.alert_percents), changed_at = kt_now()
    RETURNING id::text`;
  return rows[0]!.id;
};

/** In the order of their making. What a counter counts includes what gateways have set aside and not used yet. */
export const listLimitRows = async (db: RawDb, organizationId: string): Promise<StoredLimit[]> => {
  const rows = await db.$queryRaw<LimitRow[]>`
    SELECT l.id::text, l.subject_kind, l.subject_id::text, l.measure, l.unit, l.window_kind, l.window_ms, l.amount::text, l.mode, l.alert_percents, l.created_at, l.changed_at,
      CASE WHEN l.subject_kind <> 'end_user' THEN (SELECT coalesce(sum(c.taken), 0)::text FROM limit_counter c
        WHERE c.organization_id = l.organization_id AND c.limit_id = l.id AND c.window_end_ms > w.counted_from_ms) END AS counted
    FROM usage_limit l JOIN organization o ON o.id = l.organization_id CROSS JOIN LATERAL limit_window(l, o.time_zone, kt_now()) w
    WHERE l.organization_id = ${organizationId}::uuid ORDER BY l.created_at, l.id`;
  return rows.map(toLimit);
};

/** The lock keeps gateways from its counters, which go with it. False: the organization has no such limit. */
export const deleteLimit = async (db: PrismaDb, organizationId: string, id: string): Promise<boolean> => {
  await db.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended('limits' || ${organizationId}::text, 0))`;
  return (await db.$executeRaw`DELETE FROM usage_limit WHERE organization_id = ${organizationId}::uuid AND id = ${id}::uuid`) > 0;
};

/** The first of the keys that a key was rolled from; null where the organization has no such key. */
export const findLineage = async (db: RawDb, organizationId: string, keyId: string): Promise<string | null> => {
  const rows = await db.$queryRaw<{ lineage: string }[]>`
    SELECT coalesce(lineage_id, id)::text AS lineage FROM api_key WHERE organization_id = ${organizationId}::uuid AND id = ${keyId}::uuid`;
  return rows[0]?.lineage ?? null;
};

export const isPackUnit = async (db: PrismaDb, unit: string): Promise<boolean> => (await db.packUnit.findUnique({ where: { unit } })) !== null;
