import { z } from 'zod';
import { modes } from './options.js';

/** One round's order to the client's process. */
export const loadOrder = z.object({
  origin: z.url(),
  mode: z.enum(modes),
  connections: z.number().int().positive(),
  /** The round ends after this time or this many requests, once the running ones are answered. */
  durationMs: z.number().positive(),
  requestsMax: z.number().int().positive(),
  /** The requests use them in turn. */
  keys: z.array(z.string()).min(1),
});

export type LoadOrder = z.infer<typeof loadOrder>;

export const loadResult = z.object({
  requests: z.number().int(),
  failures: z.number().int(),
  /** The first few, in words. */
  problems: z.array(z.string()),
  elapsedMs: z.number(),
  requestsPerSecond: z.number(),
  p50Ms: z.number(),
  p99Ms: z.number(),
});

export type LoadResult = z.infer<typeof loadResult>;
