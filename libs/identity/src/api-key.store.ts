import type { RawDb } from '@kilotoken/platform';
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

interface ReadRow extends Omit<ApiKeyRow, 'use' | 'allowedModels'> {
  readonly allowedModels: string[] | null;
  readonly lastUsedAt: Date | null;
  readonly now: Date;
}

const readApiKey = ({ lastUsedAt, now, allowedModels, ...row }: ReadRow): ApiKey => toApiKey({ ...row, allowedModels: allowedModels ?? [], use: lastUsedAt && { lastUsedAt } }, now);

/** Which keys of an organization are meant; what is left out does not matter. */
export interface ApiKeySought {
  readonly afterId?: string | undefined;
  readonly id?: string;
  readonly name?: string;
  readonly prefix?: string;
  readonly hash?: Uint8Array;
}

/** In the order of their making. */
export const listApiKeyRows = async (db: RawDb, organizationId: string, sought: ApiKeySought, limit: number): Promise<ApiKey[]> => {
  const { afterId = null, id = null, name = null, prefix = null, hash } = sought;
  const hashHex = hash ? Buffer.from(hash).toString('hex') : null;
  const rows = await db.$queryRaw<ReadRow[]>`
    SELECT k.organization_id::text AS "organizationId", k.id::text, k.project_id::text AS "projectId", k.name, k.prefix, k.allowed_models AS "allowedModels",
      k.unsupported_parameters AS "unsupportedParameters", k.max_tokens_above AS "maxTokensAbove", k.expires_at AS "expiresAt", k.revoked_at AS "revokedAt",
      u.last_used_at AS "lastUsedAt", k.created_at AS "createdAt", kt_now() AS now
    FROM api_key k LEFT JOIN api_key_use u ON u.organization_id = k.organization_id AND u.api_key_id = k.id
    WHERE k.organization_id = ${organizationId}::uuid AND (${afterId}::uuid IS NULL OR k.id > ${afterId}::uuid) AND (${id}::uuid IS NULL OR k.id = ${id}::uuid)
      AND (${name}::text IS NULL OR k.name = ${name}::text) AND (${prefix}::text IS NULL OR k.prefix = ${prefix}::text)
      AND (${hashHex}::text IS NULL OR k.hash = decode(${hashHex}::text, 'hex'))
    ORDER BY k.id LIMIT ${limit}::int`;
  return rows.map(readApiKey);
};

/** The latest that any key of this one's line ends: what the first of them was made with, because a key that was rolled ends earlier and its successor does not. Null: never. */
export const findLineageExpiry = async (db: RawDb, { organizationId, id }: ApiKey): Promise<Date | null> => {
  const rows = await db.$queryRaw<{ expiresAt: Date | null }[]>`
    SELECT CASE WHEN bool_and(expires_at IS NOT NULL) THEN max(expires_at) END AS "expiresAt" FROM api_key
    WHERE organization_id = ${organizationId}::uuid AND coalesce(lineage_id, id) = (
      SELECT coalesce(lineage_id, id) FROM api_key WHERE organization_id = ${organizationId}::uuid AND id = ${id}::uuid)`;
  return rows[0]!.expiresAt;
};

export const endApiKey = async (db: PrismaDb, { organizationId, id }: ApiKey, end: { revokedAt: Date } | { expiresAt: Date }, now: Date): Promise<ApiKey> =>
  toApiKey(await db.apiKey.update({ where: { organizationId_id: { organizationId, id } }, data: end, include: withUse }), now);

export const updateApiKeySettings = async (db: PrismaDb, { organizationId, id }: ApiKey, settings: Partial<ApiKeySettings>, now: Date): Promise<ApiKey> =>
  toApiKey(await db.apiKey.update({ where: { organizationId_id: { organizationId, id } }, data: settings, include: withUse }), now);

export interface ApiKeyTerms {
  readonly name?: string | undefined;
  readonly allowedModels?: readonly string[] | undefined;
  readonly expiresAt?: Date | undefined;
}

export const updateApiKeyTerms = async (db: PrismaDb, { organizationId, id }: ApiKey, { name, allowedModels, expiresAt }: ApiKeyTerms, now: Date): Promise<ApiKey> => {
  const data = { ...(name === undefined ? {} : { name }), ...(expiresAt === undefined ? {} : { expiresAt }), ...(allowedModels === undefined ? {} : { allowedModels: [...allowedModels] }) };
  return toApiKey(await db.apiKey.update({ where: { organizationId_id: { organizationId, id } }, data, include: withUse }), now);
};

/** The first of the keys that a key was rolled from; itself where it was created. Limits count on it. */
export const findLineageId = async (db: PrismaDb, { organizationId, id }: ApiKey): Promise<string> => {
  const row = await db.apiKey.findUniqueOrThrow({ where: { organizationId_id: { organizationId, id } }, select: { lineageId: true } });
  return row.lineageId ?? id;
};

/** The event that a key took another's place; that one was made and the other ended, the table tells by itself. */
export const recordKeyRolled = async (db: PrismaDb, old: ApiKey, rolled: ApiKey, oldEndsAt: Date): Promise<void> => {
  const { organizationId, projectId, name, id } = rolled;
  const data = { old_key_id: old.id, old_key_ends_at: oldEndsAt.toISOString(), new_key_id: id, project_id: projectId, name };
  await db.$queryRaw`SELECT outbox_put(${organizationId}::uuid, 'key.rolled', ${id}, ${JSON.stringify(data)}::jsonb)`;
};
