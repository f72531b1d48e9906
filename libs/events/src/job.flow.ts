import type { Db } from '@kilotoken/platform';
import { notFound, parseInput } from './events.errors.js';
import { jobPageSchema, jobRetrySchema, retriedMax, type JobPage, type JobRetry, type ListedJob } from './job.js';
import { findJobs, resetJobs } from './job.store.js';

/** The oldest first; the next page begins after the last id of this one. */
export const listJobs = (db: Db, page: JobPage): Promise<ListedJob[]> => findJobs(db, parseInput(jobPageSchema, page));

/**
 * Gives jobs all their attempts again, from now: one job that is not running, whatever its status, or every dead one of a queue, at
 * most 10,000 at once. Answers how many; throws `job_not_found`.
 */
export const retryJobs = async (db: Db, retry: JobRetry): Promise<number> => {
  const asked = parseInput(jobRetrySchema, retry);
  const count = await resetJobs(db, asked, retriedMax);
  if ('id' in asked && count === 0) throw notFound('job', 'There is no such job, or it is running.');
  return count;
};
