import type { Db } from '@kilotoken/platform';
import type { BalanceThreshold } from './notice.js';

export const findNoticeAddress = async (db: Db, organizationId: string): Promise<string | null> => {
  const { rows } = await db.query<{ email: string }>('SELECT email FROM notice_address WHERE organization_id = $1', [organizationId]);
  return rows[0]?.email ?? null;
};

export const listThresholds = async (db: Db, organizationId: string): Promise<BalanceThreshold[]> => {
  const { rows } = await db.query<BalanceThreshold>(
    'SELECT unit, trim_scale(threshold)::text AS threshold, is_low AS "isLow" FROM balance_notice WHERE organization_id = $1 AND threshold IS NOT NULL ORDER BY unit',
    [organizationId],
  );
  return rows;
};

// The functions below write tables directly, so they need the control plane's login.

export const writeNoticeAddress = async (db: Db, organizationId: string, email: string | null): Promise<void> => {
  if (email === null) await db.query('DELETE FROM notice_address WHERE organization_id = $1', [organizationId]);
  else {
    await db.query(
      'INSERT INTO notice_address (organization_id, email) VALUES ($1, $2) ON CONFLICT (organization_id) DO UPDATE SET email = excluded.email, updated_at = kt_now()',
      [organizationId, email],
    );
  }
};

/** A changed threshold is armed again: a balance already below it becomes one event. The count of crossings goes on. */
export const writeThreshold = async (db: Db, organizationId: string, unit: string, threshold: string | null): Promise<void> => {
  await db.query(
    `INSERT INTO balance_notice AS b (organization_id, unit, threshold) VALUES ($1, $2, $3)
     ON CONFLICT (organization_id, unit) DO UPDATE SET threshold = excluded.threshold, is_low = b.is_low AND b.threshold IS NOT DISTINCT FROM excluded.threshold`,
    [organizationId, unit, threshold],
  );
};

export interface BalancePlace {
  readonly organization: string;
  readonly unit: string;
}

export interface BalanceCheck {
  readonly checked: number;
  readonly crossed: number;
  /** The last balance that was checked. */
  readonly last: BalancePlace | null;
}

/** Checks the next `limit` balances with a threshold after a place. Crosses organizations by a named function. */
export const checkBalances = async (db: Db, after: BalancePlace | null, limit: number): Promise<BalanceCheck> => {
  const { rows } = await db.query<{ answer: { checked: number; crossed: number; organization: string | null; unit: string | null } }>(
    'SELECT balance_notices_check($1, $2, $3) AS answer',
    [after?.organization ?? null, after?.unit ?? null, limit],
  );
  const { checked, crossed, organization, unit } = rows[0]!.answer;
  return { checked, crossed, last: organization !== null && unit !== null ? { organization, unit } : null };
};
