import { randomBytes } from 'node:crypto';
import { changeAs, mintId, type RawDb, readDatabaseNow } from '@kilotoken/platform';
import type { ControlClient, PrismaDb } from '@kilotoken/platform/prisma';
import { isApiKeyPrefix, mintApiKey, parseApiKey } from './api-key.js';
import {
  endApiKey, findApiKeyByHash, findLineageExpiry, findLineageId, insertApiKey, listApiKeyRows, lockApiKey, recordKeyRolled, updateApiKeySettings, type ApiKeySought,
} from './api-key.store.js';
import { ambiguous, candidatesMax, conflict, invalid, isUuid, notFound, parseInput } from './identity.errors.js';
import {
  apiKeyPlaceSchema,
  apiKeySettingsSchema,
  idPageSchema,
  nameSchema,
  newApiKeySchema,
  rollApiKeySchema,
  type ApiKey,
  type ApiKeyPlace,
  type ApiKeySettingsChange,
  type NewApiKey,
  type Page,
  type RollApiKey,
} from './identity.js';
import { getProject } from './organization.flow.js';

/** The key itself stands here and nowhere else: whoever gets it shows it once. */
export interface IssuedApiKey extends ApiKey {
  readonly key: string;
}

/** Throws `identity_invalid`, `project_not_found` or `project_archived`. */
export const createApiKey = async (client: ControlClient, input: NewApiKey): Promise<IssuedApiKey> => {
  const key = mintApiKey(randomBytes);
  return { ...(await insertKey(client, input, key)), key: key.key };
};

/**
 * Stores a key that was minted before, for a caller that has to keep the key itself before it is good for anything. Storing
 * it again answers what is stored. Throws as `createApiKey` does.
 */
export const registerApiKey = async (client: ControlClient, input: NewApiKey, key: string): Promise<ApiKey> => {
  const parsed = parseApiKey(key);
  if (!parsed.ok) throw invalid('key: its format or checksum is wrong');
  const now = await readDatabaseNow(client);
  return (await findApiKeyByHash(client, input.organizationId, parsed.hash, now)) ?? insertKey(client, input, parsed);
};

const insertKey = (client: ControlClient, input: NewApiKey, { hash, prefix }: { hash: Uint8Array; prefix: string }): Promise<ApiKey> => {
  const { organizationId, projectId, name, expiresAt = null, allowedModels = null, ...given } = parseInput(newApiKeySchema, input);
  const settings = { unsupportedParameters: given.unsupportedParameters ?? null, maxTokensAbove: given.maxTokensAbove ?? null };
  return changeAs(client, organizationId, async (db) => {
    const now = await readDatabaseNow(db);
    if (expiresAt && expiresAt <= now) throw invalid('expiresAt: must be in the future');
    const project = await getProject(db, organizationId, projectId);
    if (project.archivedAt) throw conflict('project_archived', `The project "${project.name}" is archived.`, { project: project.name });
    return insertApiKey(db, { organizationId, id: mintId(now.getTime()), projectId: project.id, name, hash, prefix, allowedModels, expiresAt, ...settings }, now);
  });
};

/** In the order of their making; the next page begins after the last id of this one. */
export const listApiKeys = async (db: RawDb, organizationId: string, page: Page = {}): Promise<ApiKey[]> => {
  const { after, limit } = parseInput(idPageSchema, page);
  return listApiKeyRows(db, organizationId, { afterId: after }, limit);
};

/**
 * By id, by the whole key, or by its beginning or name where only one key has it; of several the one that is still good. Throws `api_key_not_found`, or
 * `api_key_ambiguous` with those that may be meant.
 */
export const findApiKey = async (db: RawDb, organizationId: string, text: string): Promise<ApiKey> => {
  const keys = await listApiKeyRows(db, organizationId, soughtBy(text), candidatesMax);
  const good = keys.filter(({ status }) => status === 'active');
  const meant = good.length > 0 ? good : keys;
  if (meant.length === 1) return meant[0]!;
  if (meant.length === 0) throw notFound('api_key', `The organization has no key "${text.slice(0, 12)}".`);
  const candidates = meant.map(({ id, name, prefix, status }) => `${id} (${name}, ${prefix}…, ${status})`);
  throw ambiguous('api_key', `"${text}" matches several keys of the organization. Give the id of one:`, candidates);
};

const soughtBy = (text: string): ApiKeySought => {
  if (isUuid(text)) return { id: text };
  const whole = parseApiKey(text);
  if (whole.ok) return { hash: whole.hash };
  return isApiKeyPrefix(text) ? { prefix: text } : { name: parseInput(nameSchema, text) };
};

/**
 * Makes a new key with the project, name, models, settings and expiry of an old one, never with more. The old one ends at once, or
 * after `overlapMs` but never later than it would have. However often and in whatever order keys of a line are rolled, a new one ends
 * when the first was made to end. Throws `api_key_not_found` or `api_key_ended`.
 */
export const rollApiKey = (client: ControlClient, input: RollApiKey): Promise<IssuedApiKey> => {
  const { organizationId, id, overlapMs } = parseInput(rollApiKeySchema, input);
  return changeAs(client, organizationId, async (db) => {
    const now = await readDatabaseNow(db);
    const old = await getApiKey(db, organizationId, id, now);
    if (old.status !== 'active') throw conflict('api_key_ended', `The key ${old.prefix}… is ${old.status}; create a new one.`, { prefix: old.prefix });
    // Not the old key's own: when it was rolled before, it ends with that overlap. Read before it is shortened below.
    const expiresAt = await findLineageExpiry(db, old);
    const overlapEnd = new Date(now.getTime() + overlapMs);
    if (overlapMs === 0) await endApiKey(db, old, { revokedAt: now }, now);
    else if (!old.expiresAt || old.expiresAt > overlapEnd) await endApiKey(db, old, { expiresAt: overlapEnd }, now);
    const oldEndsAt = overlapMs === 0 ? now : old.expiresAt && old.expiresAt <= overlapEnd ? old.expiresAt : overlapEnd;

    const { key, hash, prefix } = mintApiKey(randomBytes);
    const { projectId, name, allowedModels, unsupportedParameters, maxTokensAbove } = old;
    const lineageId = await findLineageId(db, old);
    const terms = { projectId, name, allowedModels, expiresAt, unsupportedParameters, maxTokensAbove };
    const rolled = await insertApiKey(db, { organizationId, id: mintId(now.getTime()), hash, prefix, lineageId, ...terms }, now);
    await recordKeyRolled(db, old, rolled, oldEndsAt);
    return { ...rolled, key };
  });
};

/** Gateways follow within a second. Throws `api_key_not_found`. */
export const setApiKey = (client: ControlClient, input: ApiKeySettingsChange): Promise<ApiKey> => {
  const { organizationId, id, ...given } = parseInput(apiKeySettingsSchema, input);
  const settings = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return changeAs(client, organizationId, async (db) => {
    const now = await readDatabaseNow(db);
    return updateApiKeySettings(db, await getApiKey(db, organizationId, id, now), settings, now);
  });
};

/** For good. Revoking again changes nothing. Throws `api_key_not_found`. */
export const revokeApiKey = (client: ControlClient, input: ApiKeyPlace): Promise<ApiKey> => {
  const { organizationId, id } = parseInput(apiKeyPlaceSchema, input);
  return changeAs(client, organizationId, async (db) => {
    const now = await readDatabaseNow(db);
    const key = await getApiKey(db, organizationId, id, now);
    return key.revokedAt ? key : endApiKey(db, key, { revokedAt: now }, now);
  });
};

const getApiKey = async (db: PrismaDb, organizationId: string, id: string, now: Date): Promise<ApiKey> => {
  const key = await lockApiKey(db, organizationId, id, now);
  if (!key) throw notFound('api_key', 'The organization has no such key.');
  return key;
};
