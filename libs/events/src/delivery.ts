import { z } from 'zod';

/** The queues whose jobs organizations see. */
export const deliveryQueues = ['deliver-webhook', 'send-mail'] as const;
export type DeliveryQueue = (typeof deliveryQueues)[number];

/** A webhook or a mail for an event, as its organization's people see its job. */
export interface Delivery {
  readonly organizationId: string;
  readonly id: string;
  readonly queue: string;
  readonly eventId: string;
  readonly kind: string;
  readonly sequence: bigint;
  /** The endpoint's id, or the mail's address. */
  readonly to: string;
  readonly status: 'waiting' | 'done' | 'dead';
  readonly attempts: number;
  readonly attemptsMax: number;
  /** Of the last attempt. */
  readonly outcome: Readonly<Record<string, unknown>> | null;
  readonly nextAt: Date | null;
  readonly createdAt: Date;
  readonly finishedAt: Date | null;
}

const limitMax = 1_000;

export const deliveryPageSchema = z.strictObject({
  organizationId: z.uuid(),
  queue: z.enum(deliveryQueues).optional(),
  status: z.enum(['waiting', 'done', 'dead']).optional(),
  endpointId: z.uuid().optional(),
  after: z.uuid().optional(),
  limit: z.int().min(1).max(limitMax).default(100),
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
