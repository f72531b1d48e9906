import { z } from 'zod';
import { loadOrder } from './load-order.js';

/** One round of load on the api or on the hand-written side: what is asked of the client's process. */
const apiRequest = z.object({
  path: z.string(),
  method: z.enum(['GET', 'POST']),
  headers: z.record(z.string(), z.string()),
  body: z.string().nullable(),
});
export type ApiRequest = z.infer<typeof apiRequest>;

export const apiLoadOrder = loadOrder.pick({ origin: true, connections: true, durationMs: true, requestsMax: true }).extend({
  /** Each is sent in its turn. */
  requests: z.array(apiRequest.extend({ answerBytes: z.number().int().positive() })).min(1),
});
export type ApiLoadOrder = z.infer<typeof apiLoadOrder>;
