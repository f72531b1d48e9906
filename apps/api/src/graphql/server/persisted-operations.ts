import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';

/** The console's operations by the SHA-256 of their text, as its build writes them. */
export type PersistedOperations = ReadonlyMap<string, string>;

const manifestSchema = z.record(z.string().regex(/^[0-9a-f]{64}$/), z.string().min(1));

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** None where the console was not built. Throws where the file's hashes are not those of its texts. */
export const readPersistedOperations = (path: string): PersistedOperations => {
  if (!existsSync(path)) return new Map();
  const operations = new Map(Object.entries(manifestSchema.parse(JSON.parse(readFileSync(path, 'utf8')))));
  for (const [hash, text] of operations) if (hashOf(text) !== hash) throw new Error(`${path} names ${hash}, which is not the SHA-256 of its operation`);
  return operations;
};

const bodySchema = z.looseObject({
  query: z.string().optional(),
  extensions: z.looseObject({ persistedQuery: z.looseObject({ sha256Hash: z.string() }).optional() }).optional(),
});

/** A body with the text of the operation that its hash names, as Apollo Client sends it; any other body as it is. */
export const resolvePersisted = (operations: PersistedOperations, body: unknown): unknown => {
  const parsed = bodySchema.safeParse(body);
  const hash = parsed.success ? parsed.data.extensions?.persistedQuery?.sha256Hash : undefined;
  if (!parsed.success || hash === undefined) return body;
  const { persistedQuery: _, ...extensions } = parsed.data.extensions!;
  return { ...parsed.data, query: parsed.data.query ?? operations.get(hash), extensions };
};

export const isPersisted = (operations: PersistedOperations, query: string): boolean => operations.has(hashOf(query));
