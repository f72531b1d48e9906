import type { PrismaDb } from '@kilotoken/platform/prisma';
import { maxTokensPolicies, unsupportedParameterPolicies } from '@kilotoken/contracts';
import { z } from 'zod';
import type { ApiKey, ApiKeySettings } from './identity.js';

const withUse = { use: { select: { lastUsedAt: true } } } as const;

const unsupportedParameters = z.enum(unsupportedParameterPolicies).nullable();
const maxTokensAbove = z.enum(maxTokensPolicies).nullable();

interface ApiKeyRow extends Omit<ApiKey, 'status' | 'lastUsedAt' | 'allowedModels' | keyof ApiKeySettings> {
  readonly allowedModels: string[];
  readonly unsupportedParameters: string | null;
  readonly maxTokensAbove: string | null;
  readonly use: { readonly lastUsedAt: Date } | null;
}

const toApiKey = (row: ApiKeyRow, now: Date): ApiKey => ({
  organizationId: row.organizationId,
  id: row.id,
  projectId: row.projectId,
  name: row.name,
  prefix: row.prefix,
  status: row.revokedAt ? 'revoked' : row.expiresAt && row.expiresAt <= now ? 'expired' : 'active',
  // Prisma reads NULL, which is every model, as an empty list; an empty list itself is never written.
  allowedModels: row.allowedModels.length > 0 ? row.allowedModels : null,
  unsupportedParameters: unsupportedParameters.parse(row.unsupportedParameters),
  maxTokensAbove: maxTokensAbove.parse(row.maxTokensAbove),
  expiresAt: row.expiresAt,
  revokedAt: row.revokedAt,
  lastUsedAt: row.use?.lastUsedAt ?? null,
  createdAt: row.createdAt,
});

export interface NewApiKeyRow extends ApiKeySettings {
  readonly organizationId: string;
  readonly id: string;
  readonly projectId: string;
  readonly name: string;
  readonly hash: Uint8Array;
  readonly prefix: string;
  readonly allowedModels: readonly string[] | null;
  readonly expiresAt: Date | null;
  /** The first of the keys that this one was rolled from. */
  readonly lineageId?: string;
}

export const insertApiKey = async (db: PrismaDb, { allowedModels, hash, ...key }: NewApiKeyRow, now: Date): Promise<ApiKey> => {
  const models = allowedModels ? { allowedModels: [...allowedModels] } : {};
  return toApiKey(await db.apiKey.create({ data: { ...key, ...models, hash: new Uint8Array(hash) }, include: withUse }), now);
};

/** Keeps others from changing the key until this transaction ends; null when the organization has no such key. */
export const lockApiKey = async (db: PrismaDb, organizationId: string, id: string, now: Date): Promise<ApiKey | null> => {
  await db.$queryRaw`SELECT id FROM api_key WHERE organization_id = ${organizationId}::uuid AND id = ${id}::uuid FOR UPDATE`;
  const row = await db.apiKey.findUnique({ where: { organizationId_id: { organizationId, id } }, include: withUse });
  return row && toApiKey(row, now);
};

export const findApiKeyByHash = async (db: PrismaDb, organizationId: string, hash: Uint8Array, now: Date): Promise<ApiKey | null> => {
  const row = await db.apiKey.findUnique({ where: { organizationId_hash: { organizationId, hash: new Uint8Array(hash) } }, include: withUse });
  return row && toApiKey(row, now);
};

/** In the order of their making. */
export const listApiKeyRows = async (db: PrismaDb, organizationId: string, afterId: string | undefined, limit: number, now: Date): Promise<ApiKey[]> => {
  const after = afterId === undefined ? {} : { id: { gt: afterId } };
  const rows = await db.apiKey.findMany({ where: { organizationId, ...after }, orderBy: { id: 'asc' }, take: limit, include: withUse });
  return rows.map((row) => toApiKey(row, now));
};

export const endApiKey = async (db: PrismaDb, { organizationId, id }: ApiKey, end: { revokedAt: Date } | { expiresAt: Date }, now: Date): Promise<ApiKey> =>
  toApiKey(await db.apiKey.update({ where: { organizationId_id: { organizationId, id } }, data: end, include: withUse }), now);

export const updateApiKeySettings = async (db: PrismaDb, { organizationId, id }: ApiKey, settings: Partial<ApiKeySettings>, now: Date): Promise<ApiKey> =>
  toApiKey(await db.apiKey.update({ where: { organizationId_id: { organizationId, id } }, data: settings, include: withUse }), now);

/** The first of the keys that a key was rolled from; itself where it was created. Limits count on it. */
export const findLineageId = async (db: PrismaDb, { organizationId, id }: ApiKey): Promise<string> => {
  const row = await db.apiKey.findUniqueOrThrow({ where: { organizationId_id: { organizationId, id } }, select: { lineageId: true } });
  return row.lineageId ?? id;
};

/** The event that a key took another's place; that one was made and the other ended, the table tells by itself. */
export const tellRolled = async (db: PrismaDb, old: ApiKey, rolled: ApiKey, oldEndsAt: Date): Promise<void> => {
  const { organizationId, projectId, name, id } = rolled;
  const data = { old_key_id: old.id, old_key_ends_at: oldEndsAt.toISOString(), new_key_id: id, project_id: projectId, name };
  await db.$queryRaw`SELECT outbox_put(${organizationId}::uuid, 'key.rolled', ${id}, ${JSON.stringify(data)}::jsonb)`;
};
