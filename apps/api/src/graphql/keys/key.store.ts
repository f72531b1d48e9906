import type { Db } from '@kilotoken/platform';
import type { Page } from '../shapes/connection.js';
import { globalId } from '../shapes/global-id.js';
import { rowByKey, rowsByKey } from '../shapes/grouping.js';
import type { ApiKey, ApiKeyState, Project } from './key.type.js';

export interface Place {
  readonly organizationId: string;
  readonly id: string;
}

const placeKey = ({ organizationId, id }: Place): string => `${organizationId} ${id}`;
const placeValues = (places: readonly Place[]): [string[], string[]] => [places.map(({ organizationId }) => organizationId), places.map(({ id }) => id)];

interface ProjectRow extends Place {
  readonly name: string;
  readonly createdAt: Date;
  readonly archivedAt: Date | null;
}

const projectColumns = 'p.organization_id AS "organizationId", p.id, p.name, p.created_at AS "createdAt", p.archived_at AS "archivedAt"';

export const toProject = ({ id, ...row }: ProjectRow): Project => ({ __typename: 'Project', ...row, id: globalId('Project', row.organizationId, id), projectId: id });

/** The projects of each organization, in the order of their names. */
export const listProjectRows = async (db: Db, organizationIds: readonly string[], { first, after }: Page): Promise<ProjectRow[][]> => {
  const { rows } = await db.query<ProjectRow>(
    `SELECT p.* FROM unnest($1::uuid[]) o(id) CROSS JOIN LATERAL (
       SELECT ${projectColumns} FROM project p WHERE p.organization_id = o.id AND ($2::text IS NULL OR p.name > $2) ORDER BY p.name LIMIT $3) p`,
    [organizationIds, after?.[0] ?? null, first + 1],
  );
  return rowsByKey(organizationIds, rows, ({ organizationId }) => organizationId);
};

export const findProjects = async (db: Db, places: readonly Place[]): Promise<(ProjectRow | null)[]> => {
  const { rows } = await db.query<ProjectRow>(
    `SELECT ${projectColumns} FROM unnest($1::uuid[], $2::uuid[]) w(organization_id, id) JOIN project p ON p.organization_id = w.organization_id AND p.id = w.id`,
    placeValues(places),
  );
  return rowByKey(places.map(placeKey), rows, placeKey);
};

/** How many keys each project has that work. */
export const countApiKeys = async (db: Db, places: readonly Place[]): Promise<number[]> => {
  const { rows } = await db.query<Place & { count: number }>(
    `SELECT k.organization_id AS "organizationId", k.project_id AS id, count(*)::integer AS count
     FROM unnest($1::uuid[], $2::uuid[]) w(organization_id, id) JOIN api_key k ON k.organization_id = w.organization_id AND k.project_id = w.id
     WHERE k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > kt_now()) GROUP BY k.organization_id, k.project_id`,
    placeValues(places),
  );
  return rowByKey(places.map(placeKey), rows, placeKey).map((row) => row?.count ?? 0);
};

interface ApiKeyRow extends Place {
  readonly projectId: string;
  readonly lineageId: string;
  readonly name: string;
  readonly prefix: string;
  readonly state: ApiKeyState;
  readonly allowedModels: string[] | null;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  readonly lastUsedAt: Date | null;
}

const keyState = "CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' WHEN k.expires_at <= kt_now() THEN 'expired' ELSE 'active' END";
const keyColumns = `k.organization_id AS "organizationId", k.id, k.project_id AS "projectId", coalesce(k.lineage_id, k.id) AS "lineageId", k.name, k.prefix, ${keyState} AS state,
  k.allowed_models AS "allowedModels", k.created_at AS "createdAt", k.expires_at AS "expiresAt", k.revoked_at AS "revokedAt", u.last_used_at AS "lastUsedAt"`;
const keyTables = 'api_key k LEFT JOIN api_key_use u ON u.organization_id = k.organization_id AND u.api_key_id = k.id';

export const toApiKey = ({ id, ...row }: ApiKeyRow): ApiKey => ({ __typename: 'ApiKey', ...row, id: globalId('ApiKey', row.organizationId, id), apiKeyId: id });

export interface ApiKeyFilter {
  readonly projectId: string | null;
  readonly state: ApiKeyState | null;
}

/** The keys of each organization, the newest first. */
export const listApiKeyRows = async (db: Db, organizationIds: readonly string[], { first, after }: Page, { projectId, state }: ApiKeyFilter): Promise<ApiKeyRow[][]> => {
  const { rows } = await db.query<ApiKeyRow>(
    `SELECT k.* FROM unnest($1::uuid[]) o(id) CROSS JOIN LATERAL (
       SELECT ${keyColumns} FROM ${keyTables} WHERE k.organization_id = o.id AND ($2::uuid IS NULL OR k.id < $2) AND ($3::uuid IS NULL OR k.project_id = $3)
         AND ($4::text IS NULL OR ${keyState} = $4) ORDER BY k.id DESC LIMIT $5) k`,
    [organizationIds, after?.[0] ?? null, projectId, state, first + 1],
  );
  return rowsByKey(organizationIds, rows, ({ organizationId }) => organizationId);
};

export const findApiKeys = async (db: Db, places: readonly Place[]): Promise<(ApiKeyRow | null)[]> => {
  const { rows } = await db.query<ApiKeyRow>(
    `SELECT ${keyColumns} FROM unnest($1::uuid[], $2::uuid[]) w(organization_id, id) JOIN (${keyTables}) ON k.organization_id = w.organization_id AND k.id = w.id`,
    placeValues(places),
  );
  return rowByKey(places.map(placeKey), rows, placeKey);
};
