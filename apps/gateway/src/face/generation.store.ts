import type { TokenCounts } from '@kilotoken/contracts';
import type { Db } from '@kilotoken/platform';

/** A usage row as the public face shows it. Money is text, exactly as the database has it. */
export interface UsageView {
  readonly attempt: number;
  readonly model: string;
  readonly outcome: string;
  readonly status: number;
  readonly error_code: string | null;
  readonly finish_reason: string | null;
  readonly counts: TokenCounts;
  readonly estimated: boolean;
  readonly price_version_id: string;
  readonly unit: string;
  readonly hold: string;
  readonly rated: string;
  readonly charge: string;
  /** The portion of each unit that paid; null where all is in `unit`. */
  readonly portions: readonly object[] | null;
  readonly allocations: readonly { grant: string; unit: string; tokens: number; amount: string }[];
  readonly admitted_at: Date;
  readonly dispatched_at: Date | null;
  readonly first_token_at: Date | null;
  readonly finished_at: Date;
  readonly settled_at: Date;
}

/** The attempts of one request, first to last; none when the organization has no such request. Run it inside `asOrganization`. */
export const listAttempts = async (db: Db, organizationId: string, id: string): Promise<UsageView[]> => {
  const { rows } = await db.query<UsageView>(
    `SELECT attempt, model, outcome, status, error_code, finish_reason, counts, estimated, price_version_id, unit, hold, rated, charge, portions, allocations,
       admitted_at, dispatched_at, first_token_at, finished_at, settled_at
     FROM usage WHERE organization_id = $1 AND id = $2 ORDER BY attempt`,
    [organizationId, id],
  );
  return rows;
};

/** Whether the request runs at some gateway, with what it holds there. */
export const findOpenRequest = async (db: Db, organizationId: string, id: string): Promise<{ model: string; admittedMs: number } | null> => {
  const { rows } = await db.query<{ model: string; admitted: number }>(
    `SELECT settlement -> -1 ->> 'model' AS model, (settlement -> -1 ->> 'admitted')::float8 AS admitted
     FROM open_request WHERE organization_id = $1 AND id = $2`,
    [organizationId, id],
  );
  const [row] = rows;
  return row ? { model: row.model, admittedMs: row.admitted } : null;
};
