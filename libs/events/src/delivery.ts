import { z } from 'zod';
import { pageFields, type JobProgress } from './job.js';

/** The queues whose jobs organizations see. */
export const deliveryQueues = ['deliver-webhook', 'send-mail'] as const;
export type DeliveryQueue = (typeof deliveryQueues)[number];

/** A webhook or a mail for an event, as its organization's people see its job. */
export interface Delivery extends JobProgress {
  readonly eventId: string;
  readonly kind: string;
  readonly sequence: bigint;
  /** The endpoint's id, or the mail's address. */
  readonly to: string;
  readonly status: 'waiting' | 'done' | 'dead';
}

export const deliveryPageSchema = z.strictObject({
  organizationId: z.uuid(),
  queue: z.enum(deliveryQueues).optional(),
  status: z.enum(['waiting', 'done', 'dead']).optional(),
  endpointId: z.uuid().optional(),
  ...pageFields,
});
export type DeliveryPage = z.input<typeof deliveryPageSchema>;

/** One delivery by its id, or all dead ones, of one endpoint or of all. */
export const replaySchema = z.strictObject({
  organizationId: z.uuid(),
  id: z.uuid().optional(),
  endpointId: z.uuid().optional(),
  queue: z.enum(deliveryQueues).optional(),
});
export type Replay = z.input<typeof replaySchema>;
export const replayedMax = 10_000;
