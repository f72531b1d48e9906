import { jobCatalogue, jobKeySchema, platformId, type JobPayload, type PlatformQueue, type QueueName } from '@kilotoken/contracts';
import { throughPg, type RawDb } from '@kilotoken/platform';
import type pg from 'pg';
import { z } from 'zod';
import { parseInput } from './events.errors.js';

/** A transaction of `pg` or of Prisma: the caller's, so that the job and its cause commit together. */
export type JobTransaction = pg.PoolClient | RawDb;

/** A job of an organization names it; a job of the platform names nobody. */
type Owner<Queue extends QueueName> = Queue extends PlatformQueue ? [] : [organizationId: string];

/**
 * Enqueues a job in the caller's transaction. The job runs after the commit, at least once; a rollback leaves none.
 *
 * `(queue, key)` names the job within its owner for as long as its row is kept (`keptDays` after it ended): enqueuing it again answers
 * false and changes nothing, so the first payload stands. Throws `events_invalid` if the payload does not fit the queue's schema.
 *
 *   await enqueue(transaction, 'prune-events', '2026-12-01', { night: '2026-12-01' });
 */
export const enqueue = async <Queue extends QueueName>(
  transaction: JobTransaction,
  queue: Queue,
  key: string,
  payload: JobPayload<Queue>,
  ...[organizationId = platformId]: Owner<Queue>
): Promise<boolean> => {
  const job = parseInput(z.strictObject({ key: jobKeySchema, payload: jobCatalogue[queue].payload, organizationId: z.uuid() }), { key, payload, organizationId });
  const db = 'query' in transaction ? throughPg(transaction) : transaction;
  const rows = await db.$queryRaw<{ isNew: boolean }[]>`
    SELECT outbox_enqueue(${job.organizationId}::uuid, ${queue}, ${job.key}, ${JSON.stringify(job.payload)}::jsonb) AS "isNew"`;
  return rows[0]!.isNew;
};
