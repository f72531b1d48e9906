import { z } from 'zod';

/**
 * What is done in queues. A queue's job names a row of `outbox_job`, which says what is to be done; so a queue knows nothing
 * of anybody, and its jobs can be made again from the rows.
 */
export const queueNames = ['deliver-webhook', 'send-mail'] as const;
export type QueueName = (typeof queueNames)[number];

/** The attempt that begins with this job is the one after `attempts` earlier ones: a job that comes twice begins one. */
export const queuedJobSchema = z.strictObject({
  organizationId: z.uuid(),
  jobId: z.uuid(),
  attempts: z.int().min(0).max(100),
});
export type QueuedJobPayload = z.infer<typeof queuedJobSchema>;

/** No colon: BullMQ parts its keys by colons. */
export const queuedJobId = ({ jobId, attempts }: QueuedJobPayload): string => `${jobId}-${attempts}`;

/** `outbox_job.payload`, by queue. */
export const webhookJobSchema = z.strictObject({ endpoint_id: z.uuid() });
export const mailJobSchema = z.strictObject({ address: z.string().min(3).max(254) });
