import { randomBytes } from 'node:crypto';
import { changeAs, mintId, readDatabaseNow } from '@kilotoken/platform';
import type { ControlClient } from '@kilotoken/platform/prisma';
import { z } from 'zod';
import { mintApiKey } from './api-key.js';
import type { IssuedApiKey } from './api-key.flow.js';
import { endApiKey, findLineageId, insertApiKey, listApiKeyRows } from './api-key.store.js';
import { conflict, parseInput } from './identity.errors.js';
import { nameSchema } from './identity.js';
import { getProject } from './organization.flow.js';

const keysMax = 1_000;
const sessionKeySchema = z.strictObject({ organizationId: z.uuid(), projectId: z.uuid(), name: nameSchema, livesMs: z.int().min(1_000).max(86_400_000) });
export type NewSessionKey = z.input<typeof sessionKeySchema>;

/**
 * Makes a key for a session of somebody, which ends soon. Earlier ones of the same project and name end at once, and the new one is of their line, so
 * limits on one count for all. Throws `identity_invalid`, `project_not_found` or `project_archived`.
 */
export const createSessionKey = (client: ControlClient, input: NewSessionKey): Promise<IssuedApiKey> => {
  const { organizationId, projectId, name, livesMs } = parseInput(sessionKeySchema, input);
  return changeAs(client, organizationId, async (db) => {
    const now = await readDatabaseNow(db);
    const project = await getProject(db, organizationId, projectId);
    if (project.archivedAt) throw conflict('project_archived', `The project "${project.name}" is archived.`, { project: project.name });
    const earlier = (await listApiKeyRows(db, organizationId, { name }, keysMax)).filter((key) => key.projectId === projectId);
    for (const key of earlier) if (key.status === 'active') await endApiKey(db, key, { revokedAt: now }, now);
    const lineageId = earlier[0] ? await findLineageId(db, earlier[0]) : undefined;
    const { key, hash, prefix } = mintApiKey(randomBytes);
    const terms = { projectId, name, allowedModels: null, expiresAt: new Date(now.getTime() + livesMs), unsupportedParameters: null, maxTokensAbove: null };
    const made = await insertApiKey(db, { organizationId, id: mintId(now.getTime()), hash, prefix, ...terms, ...(lineageId === undefined ? {} : { lineageId }) }, now);
    return { ...made, key };
  });
};
