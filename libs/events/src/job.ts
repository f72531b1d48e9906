import { queueNames } from '@kilotoken/contracts';
import { z } from 'zod';

/** The progress of a job, for whoever may see it. */
export interface JobProgress {
  /** `platformId` for a job of the platform. */
  readonly organizationId: string;
  readonly id: string;
  readonly queue: string;
  readonly attempts: number;
  readonly attemptsMax: number;
  /** Of the last attempt. */
  readonly outcome: Readonly<Record<string, unknown>> | null;
  readonly nextAt: Date | null;
  readonly createdAt: Date;
  readonly finishedAt: Date | null;
}

/** A job as the platform's operators see it. */
export interface ListedJob extends JobProgress {
  readonly key: string;
  readonly eventId: string | null;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly status: 'waiting' | 'running' | 'done' | 'dead';
}

/** A list's next page begins after the last id of this one. */
export const pageFields = { after: z.uuid().optional(), limit: z.int().min(1).max(1_000).default(100) };

/** Without an organization the jobs of all. The queue may be one that only another release knows, so it is any text. */
export const jobPageSchema = z.strictObject({
  organizationId: z.uuid().optional(),
  queue: z.string().max(63).optional(),
  status: z.enum(['waiting', 'running', 'done', 'dead']).optional(),
  ...pageFields,
});
export type JobPage = z.input<typeof jobPageSchema>;

/** One job by its id, or every dead one of a queue. */
export const jobRetrySchema = z.union([z.strictObject({ id: z.uuid() }), z.strictObject({ queue: z.enum(queueNames), organizationId: z.uuid().optional() })]);
export type JobRetry = z.input<typeof jobRetrySchema>;
export const retriedMax = 10_000;
