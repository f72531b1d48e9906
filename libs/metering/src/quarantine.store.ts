import { formatMoney, parseMoney, type Money } from '@kilotoken/money';
import type { Db } from '@kilotoken/platform';
import { usageSelectList, type UsageRow } from '@kilotoken/usage';
import type { QuarantineKey, QuarantinedRow, QuarantinedUsage } from './quarantine.js';

interface QuarantineRow {
  organization_id: string;
  id: string;
  attempt: number;
  reason: string;
  quarantined_at: Date;
  raw: Buffer;
  repaired: boolean;
  ended: 'replayed' | 'discarded' | null;
}

/** With the corrected bytes of the last repair, and what ended the case. */
const columns = `q.organization_id, q.id, q.attempt, q.reason, q.quarantined_at, coalesce(r.raw, q.raw) AS raw, r.raw IS NOT NULL AS repaired,
  (SELECT s.step FROM quarantine_step s WHERE s.organization_id = q.organization_id AND s.usage_id = q.id AND s.attempt = q.attempt AND s.reason = q.reason
    AND s.step <> 'repaired') AS ended`;
const joined = `usage_quarantine q LEFT JOIN LATERAL (
  SELECT s.raw FROM quarantine_step s WHERE s.organization_id = q.organization_id AND s.usage_id = q.id AND s.attempt = q.attempt AND s.reason = q.reason
    AND s.step = 'repaired' ORDER BY s.sequence DESC LIMIT 1) r ON true`;

const toUsage = (row: QuarantineRow): QuarantinedUsage => ({
  organizationId: row.organization_id,
  usageId: row.id,
  attempt: row.attempt,
  reason: row.reason,
  quarantinedAt: row.quarantined_at,
  raw: row.raw.toString('utf8'),
  repaired: row.repaired,
  ended: row.ended,
});

export interface QuarantineFilter {
  readonly organizationId: string | null;
  readonly usageId: string | null;
  readonly ended: boolean;
  readonly limit: number;
}

/** The oldest first. */
export const listQuarantined = async (db: Db, { organizationId, usageId, ended, limit }: QuarantineFilter): Promise<QuarantinedUsage[]> => {
  const { rows } = await db.query<QuarantineRow>(
    `SELECT * FROM (SELECT ${columns} FROM ${joined}
       WHERE ($1::uuid IS NULL OR q.organization_id = $1) AND ($2::uuid IS NULL OR q.id = $2)) found
     WHERE $3 OR ended IS NULL ORDER BY quarantined_at, id, attempt, reason LIMIT $4`,
    [organizationId, usageId, ended, limit],
  );
  return rows.map(toUsage);
};

const keyValues = ({ organizationId, usageId, attempt, reason }: QuarantineKey) => [organizationId, usageId, attempt, reason] as const;

/** Locks a case until the transaction ends: steps are taken one after another. */
export const lockQuarantined = async (db: Db, key: QuarantineKey): Promise<QuarantinedUsage | null> => {
  await db.query('SELECT quarantine_lock($1, $2, $3::smallint, $4)', [...keyValues(key)]);
  const { rows } = await db.query<QuarantineRow>(`SELECT ${columns} FROM ${joined} WHERE q.organization_id = $1 AND q.id = $2 AND q.attempt = $3 AND q.reason = $4`, [...keyValues(key)]);
  return rows[0] ? toUsage(rows[0]) : null;
};

export interface QuarantineStep {
  readonly step: 'repaired' | 'replayed' | 'discarded';
  readonly raw: string | null;
  readonly result: object | null;
  readonly note: string;
  readonly actor: string;
}

export const insertStep = async (db: Db, key: QuarantineKey, { step, raw, result, note, actor }: QuarantineStep): Promise<void> => {
  await db.query('SELECT quarantine_step_put($1, $2, $3::smallint, $4, $5, $6, $7, $8, $9)', [
    ...keyValues(key), step, raw === null ? null : Buffer.from(raw), result && JSON.stringify(result), note, actor,
  ]);
};

const ratedFields = ['counts', 'price', 'unit', 'hold', 'rated', 'charge', 'portions'] as const;
type RatedUsage = Pick<UsageRow, (typeof ratedFields)[number]>;

export const findUsage = async (db: Db, { organizationId, usageId, attempt }: QuarantineKey): Promise<RatedUsage | null> => {
  const { rows } = await db.query<RatedUsage>(`SELECT ${usageSelectList(ratedFields)} FROM usage WHERE organization_id = $1 AND id = $2 AND attempt = $3`, [organizationId, usageId, attempt]);
  return rows[0] ?? null;
};

export interface Adjustment {
  readonly rated: string;
  readonly charge: string;
  readonly receivable: string;
}

/** Makes a row rated at an amount of a unit; null where it was already. */
export const adjustRating = async (db: Db, key: QuarantineKey, unit: string, rated: string, note: string): Promise<Adjustment | null> => {
  const { rows } = await db.query<Adjustment & { id: string | null }>(
    'SELECT id, trim_scale(rated)::text AS rated, trim_scale(charge)::text AS charge, trim_scale(receivable)::text AS receivable FROM quarantine_adjust($1, $2, $3::smallint, $4, $5, $6, $7)',
    [...keyValues(key), unit, rated, note],
  );
  const { id, ...adjustment } = rows[0]!;
  return id === null ? null : adjustment;
};

export interface Taken {
  readonly leaseId: string;
  readonly grantId: string;
  readonly slice: Money;
}

/** A case, and the session in which its replay leases and settles. */
export interface Replay {
  readonly key: QuarantineKey;
  readonly sessionId: string;
}

/** Leases an amount of a unit for a row, or as much of it as there is. */
export const takeForRow = async (db: Db, { key, sessionId }: Replay, askId: string, row: QuarantinedRow, unit: string, amount: Money): Promise<Taken[]> => {
  const { rows } = await db.query<{ answer: { leases: { leaseId: string; grantId: string; slice: string }[] } }>(
    'SELECT quarantine_take($1, $2, $3::smallint, $4, $5, $6, $7, $8, $9) AS answer',
    [...keyValues(key), sessionId, askId, unit, row.model, formatMoney(amount)],
  );
  return rows[0]!.answer.leases.map(({ leaseId, grantId, slice }) => ({ leaseId, grantId, slice: parseMoney(slice) }));
};

/** Settles the rows and ends the session, which closes its leases with what the rows allocated. Answers how many rows were written. */
export const settleRows = async (db: Db, { key, sessionId }: Replay, rows: readonly object[]): Promise<number> => {
  const { rows: answers } = await db.query<{ written: number }>('SELECT quarantine_settle($1, $2, $3::smallint, $4, $5, $6) AS written', [
    ...keyValues(key), sessionId, JSON.stringify(rows),
  ]);
  return answers[0]!.written;
};
