import type { Db } from '@kilotoken/platform';
import { loadBurnTables, loadPriceVersions, type BurnTable, type PriceVersion } from '@kilotoken/pricing';
import { usageSelectList, type UsageRow } from '@kilotoken/usage';
import type { Page } from '../shapes/connection.js';
import { rowByKey, rowsByKey } from '../shapes/grouping.js';

const fields = [
  'organization', 'id', 'attempt', 'project', 'key', 'user', 'tags', 'operation', 'stream', 'model', 'outcome', 'status', 'error', 'finish', 'lane', 'counts', 'estimated', 'price', 'unit', 'hold',
  'rated', 'charge', 'portions', 'allocations', 'cost', 'cost_currency', 'admitted', 'first_token', 'finished',
] as const;

/** A usage row as the api shows it. */
export type RequestRow = Pick<UsageRow, (typeof fields)[number]> & { readonly settledAt: Date };

export interface RequestPlace {
  readonly organizationId: string;
  readonly id: string;
}

/** Of moments so far apart as clocks of gateways and the database may differ, ids tell nothing. */
const clocksDifferBy = "interval '5 minutes'";
const columns = `${usageSelectList(fields)}, settled_at AS "settledAt"`;
/** The last attempt is the request. */
const isLast = 'NOT EXISTS (SELECT FROM usage l WHERE l.organization_id = usage.organization_id AND l.id = usage.id AND l.attempt > usage.attempt)';

export interface RequestSought {
  readonly from: Date | null;
  readonly until: Date | null;
  readonly models: readonly string[] | null;
  readonly projectId: string | null;
  readonly apiKeyId: string | null;
  readonly outcome: string | null;
}

/** The requests of each organization that have settled, the newest first. Ids carry the time, so they bound the partitions that are read. */
export const listRequests = async (db: Db, organizationIds: readonly string[], { first, after }: Page, sought: RequestSought): Promise<RequestRow[][]> => {
  const { rows } = await db.query<RequestRow>(
    `SELECT u.* FROM unnest($1::uuid[]) o(asked) CROSS JOIN LATERAL (
       SELECT ${columns} FROM usage WHERE usage.organization_id = o.asked AND ($2::uuid IS NULL OR usage.id < $2)
         AND ($3::timestamptz IS NULL OR (usage.id >= uuid_floor($3 - ${clocksDifferBy}) AND admitted_at >= $3))
         AND ($4::timestamptz IS NULL OR (usage.id < uuid_floor($4 + ${clocksDifferBy}) AND admitted_at < $4))
         AND ($5::text[] IS NULL OR model = ANY ($5)) AND ($6::uuid IS NULL OR project_id = $6) AND ($7::uuid IS NULL OR api_key_id = $7)
         AND ($8::text IS NULL OR outcome = $8) AND ${isLast}
       ORDER BY usage.id DESC LIMIT $9) u`,
    [organizationIds, after?.[0] ?? null, sought.from, sought.until, sought.models, sought.projectId, sought.apiKeyId, sought.outcome, first + 1],
  );
  return rowsByKey(organizationIds, rows, ({ organization }) => organization);
};

const placeKey = ({ organizationId, id }: RequestPlace): string => `${organizationId} ${id}`;

/** All attempts of each request, first to last; none where there is no such request. */
export const listAttempts = async (db: Db, places: readonly RequestPlace[]): Promise<RequestRow[][]> => {
  const { rows } = await db.query<RequestRow>(
    `SELECT u.* FROM unnest($1::uuid[], $2::uuid[]) w(organization_id, asked) CROSS JOIN LATERAL (
       SELECT ${columns} FROM usage WHERE usage.organization_id = w.organization_id AND usage.id = w.asked ORDER BY attempt) u`,
    [places.map(({ organizationId }) => organizationId), places.map(({ id }) => id)],
  );
  return rowsByKey(places.map(placeKey), rows, ({ organization, id }) => `${organization} ${id}`);
};

export const findPriceVersions = async (db: Db, ids: readonly string[]): Promise<(PriceVersion | null)[]> => rowByKey(ids, await loadPriceVersions(db, ids), ({ id }) => id);
export const findBurnTables = async (db: Db, ids: readonly string[]): Promise<(BurnTable | null)[]> => rowByKey(ids, await loadBurnTables(db, ids), ({ id }) => id);
