import { z } from 'zod';

/**
 * The jobs that queues carry. A queue's job names a row of `outbox_job`, and the row says what to do. So a queue knows nothing of
 * anybody, and its jobs can be made again from the rows.
 */
interface JobKind<Schema extends z.ZodObject = z.ZodObject> {
  /** The organization for which the job is done, or the platform for a job of our own. */
  readonly owner: 'organization' | 'platform';
  readonly payload: Schema;
}

const kind = <const Owner extends JobKind['owner'], Schema extends z.ZodObject>(owner: Owner, payload: Schema) => ({ owner, payload }) as const;

/** A night's day in UTC. */
const night = z.strictObject({ night: z.iso.date() });

/** Every queue by its name, which is a verb and a noun. `backoffice` has one table entry for each: it does not compile without. */
export const jobCatalogue = {
  'deliver-webhook': kind('organization', z.strictObject({ endpoint_id: z.uuid() })),
  'send-mail': kind('organization', z.strictObject({ address: z.string().min(3).max(254) })),
  /** An invitation or a new password, encrypted: its link opens an account. */
  'mail-person': kind('platform', z.strictObject({ sealed: z.string().min(1).max(20_000) })),
  'prune-events': kind('platform', night),
  'prove-books': kind('platform', night),
} as const satisfies Record<string, JobKind>;

export type QueueName = keyof typeof jobCatalogue;
export const queueNames = Object.keys(jobCatalogue) as QueueName[];
export const isQueueName = (name: string): name is QueueName => Object.hasOwn(jobCatalogue, name);

export type JobPayload<Queue extends QueueName> = z.output<(typeof jobCatalogue)[Queue]['payload']>;
export type PlatformQueue = { [Queue in QueueName]: (typeof jobCatalogue)[Queue]['owner'] extends 'platform' ? Queue : never }[QueueName];
export type OrganizationQueue = Exclude<QueueName, PlatformQueue>;

/** Owns the jobs of the platform. No organization has this id, so no tenant sees them. */
export const platformId = '00000000-0000-0000-0000-000000000000';

/** `(queue, key)` names a job of its owner. */
export const jobKeySchema = z.string().min(1).max(200);

/** The attempt that begins with this job is the one after `attempts` earlier ones: a job that comes twice begins one. */
export const queuedJobSchema = z.strictObject({
  organizationId: z.uuid(),
  jobId: z.uuid(),
  attempts: z.int().min(0).max(100),
});
export type QueuedJobPayload = z.infer<typeof queuedJobSchema>;

/** No colon: BullMQ parts its keys by colons. */
export const queuedJobId = ({ jobId, attempts }: QueuedJobPayload): string => `${jobId}-${attempts}`;
