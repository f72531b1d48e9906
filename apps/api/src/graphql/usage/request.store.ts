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

export interface RequestSought {
  readonly from: Date | null;
  readonly until: Date | null;
  readonly models: readonly string[] | null;
  readonly projectId: string | null;
  readonly apiKeyId: string | null;
  readonly outcome: string | null;
}

/** The last attempt is the request. */
const isLast = 'NOT EXISTS (SELECT FROM usage l WHERE l.organization_id = usage.organization_id AND l.id = usage.id AND l.attempt > usage.attempt)';

/**
 * A page of one organization's requests, without a look at the rest of its history: partitions are read backwards along their keys until the page is full. The
 * planner does so because the organization is a parameter of its own: joined to a list, all look alike to it, and it would sort a large one's rows. The attempts of
 * a request lie side by side, the last one first; only where a filter might leave that one out is it looked for.
 */
const pageOf = (organization: string, isFiltered: boolean): string => `(SELECT DISTINCT ON (usage.id) ${columns} FROM usage
  WHERE usage.organization_id = ${organization} AND ($1::uuid IS NULL OR usage.id < $1)
    AND ($2::timestamptz IS NULL OR (usage.id >= uuid_floor($2 - ${clocksDifferBy}) AND admitted_at >= $2))
    AND ($3::timestamptz IS NULL OR (usage.id < uuid_floor($3 + ${clocksDifferBy}) AND admitted_at < $3))
    AND ($4::text[] IS NULL OR model = ANY ($4)) AND ($5::uuid IS NULL OR project_id = $5) AND ($6::uuid IS NULL OR api_key_id = $6)
    AND ($7::text IS NULL OR outcome = $7)${isFiltered ? ` AND ${isLast}` : ''}
  ORDER BY usage.id DESC, usage.attempt DESC LIMIT $8)`;

/** The requests of each organization that have settled, the newest first. Ids carry the time, so they bound the partitions that are read. */
export const listRequests = async (db: Db, organizationIds: readonly string[], { first, after }: Page, sought: RequestSought): Promise<RequestRow[][]> => {
  const isFiltered = Object.values(sought).some((value) => value !== null);
  const { rows } = await db.query<RequestRow>({
    text: organizationIds.map((_, index) => pageOf(`$${index + 9}::uuid`, isFiltered)).join(' UNION ALL '),
    values: [after?.[0] ?? null, sought.from, sought.until, sought.models, sought.projectId, sought.apiKeyId, sought.outcome, first + 1, ...organizationIds],
  });
  return rowsByKey(organizationIds, rows, ({ organization }) => organization);
};

const placeKey = ({ organizationId, id }: RequestPlace): string => `${organizationId} ${id}`;

/** All attempts of each request, first to last; none where there is no such request. */
export const listAttempts = async (db: Db, places: readonly RequestPlace[]): Promise<RequestRow[][]> => {
  // Ids as parameters of their own, not joined to a list: the planner then leaves out partitions of other times.
  const { rows } = await db.query<RequestRow>(
    `SELECT ${columns} FROM usage WHERE organization_id = ANY ($1::uuid[]) AND usage.id = ANY ($2::uuid[]) ORDER BY attempt`,
    [[...new Set(places.map(({ organizationId }) => organizationId))], places.map(({ id }) => id)],
  );
  return rowsByKey(places.map(placeKey), rows, ({ organization, id }) => `${organization} ${id}`);
};

export const findPriceVersions = async (db: Db, ids: readonly string[]): Promise<(PriceVersion | null)[]> => rowByKey(ids, await loadPriceVersions(db, ids), ({ id }) => id);
export const findBurnTables = async (db: Db, ids: readonly string[]): Promise<(BurnTable | null)[]> => rowByKey(ids, await loadBurnTables(db, ids), ({ id }) => id);
