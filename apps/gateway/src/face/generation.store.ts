import type { Db } from '@kilotoken/platform';
import { usageSelectList, type UsageRow } from '@kilotoken/usage';

const fields = [
  'attempt', 'model', 'outcome', 'status', 'error', 'finish', 'counts', 'estimated', 'price', 'unit', 'hold', 'rated', 'charge', 'portions', 'allocations', 'admitted', 'dispatched', 'first_token', 'finished',
] as const;

/** A usage row as the public face shows it. */
export type UsageView = Pick<UsageRow, (typeof fields)[number]> & { readonly settledAt: Date };

/** The attempts of one request, first to last; none when the organization has no such request. Run it inside `asOrganization`. */
export const listAttempts = async (db: Db, organizationId: string, id: string): Promise<UsageView[]> => {
  const { rows } = await db.query<UsageView>(
    `SELECT ${usageSelectList(fields)}, settled_at AS "settledAt" FROM usage WHERE organization_id = $1 AND id = $2 ORDER BY attempt`,
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
