import { changeAs, readDatabaseNow } from '@kilotoken/platform';
import type { ControlClient } from '@kilotoken/platform/prisma';
import { z } from 'zod';
import { lockApiKey, updateApiKeyTerms } from './api-key.store.js';
import { conflict, invalid, notFound, parseInput } from './identity.errors.js';
import { apiKeyPlaceSchema, modelIdsSchema, nameSchema, type ApiKey } from './identity.js';

const narrowerSchema = apiKeyPlaceSchema.extend({ name: nameSchema.optional(), allowedModels: modelIdsSchema.optional(), expiresAt: z.date().optional() });
export type NarrowerApiKey = z.input<typeof narrowerSchema>;

/**
 * Renames a key, or narrows it to some of its models or an earlier end, never wider: whoever holds a key gains nothing by a change that is not
 * theirs. What is left out stays. Throws `identity_invalid`, `api_key_not_found` or `api_key_ended`.
 */
export const narrowApiKey = (client: ControlClient, input: NarrowerApiKey): Promise<ApiKey> => {
  const { organizationId, id, ...terms } = parseInput(narrowerSchema, input);
  return changeAs(client, organizationId, async (db) => {
    const now = await readDatabaseNow(db);
    const key = await lockApiKey(db, organizationId, id, now);
    if (!key) throw notFound('api_key', 'The organization has no such key.');
    if (key.status !== 'active') throw conflict('api_key_ended', `The key ${key.prefix}… is ${key.status}; create a new one.`, { prefix: key.prefix });
    const wider = terms.allowedModels?.filter((model) => key.allowedModels !== null && !key.allowedModels.includes(model)) ?? [];
    if (wider.length > 0) throw invalid(`allowedModels: the key may not use ${wider.join(', ')}; create a new one`);
    if (terms.expiresAt && terms.expiresAt <= now) throw invalid('expiresAt: a moment in the future is needed');
    if (terms.expiresAt && key.expiresAt && terms.expiresAt > key.expiresAt) throw invalid('expiresAt: the key ends before that; create a new one');
    return updateApiKeyTerms(db, key, terms, now);
  });
};
