import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { queuedJobSchema, type QueueName } from '@kilotoken/contracts';
import { inTransaction, type Db } from '@kilotoken/platform';
import type { QueuedJob, QueueStore, QueueWorker } from '@kilotoken/platform/queue';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { claimJob, endJob, type ClaimedJob, type JobOutcome, type JobStatus } from './outbox.store.js';
import { retryWaitMs } from './retry.js';

/** What is done with the jobs of one queue. */
export interface JobHandler {
  readonly queue: QueueName;
  /** Waits after failures of which the handler says nothing better, as in `retry.ts`. */
  readonly waitsSeconds: readonly number[];
  /** Longer than any run of it takes: a run that outlives it has lost its job. */
  readonly claimMs: number;
  /** Does the job. It may run twice for one job, seldom and one after the other: when a process froze or died. */
  run(job: ClaimedJob): Promise<JobOutcome>;
  /** What changes with the attempt's end, in its transaction. */
  record?(db: Db, job: ClaimedJob, outcome: JobOutcome, status: JobStatus): Promise<void>;
}

type JobEnd = JobStatus | 'lost';

/** Told of each run that ended. */
export type OnJobEnd = (queue: QueueName, end: JobEnd, latencyMs: number) => void;

/** Runs the jobs that come out of the queues: claims, does, records. Whatever a handler throws costs its own job an attempt. */
@Injectable()
export class JobRunnerService {
  private readonly workers: QueueWorker[] = [];

  constructor(
    private readonly pool: Pool,
    private readonly queues: QueueStore,
    private readonly logger: Logger,
    private readonly concurrency: number,
    private readonly onEnd: OnJobEnd = () => undefined,
  ) {}

  start(handlers: readonly JobHandler[]): void {
    for (const handler of handlers) {
      const run = (job: QueuedJob): Promise<void> => this.runOnce(handler, job);
      this.workers.push(this.queues.work(handler.queue, { concurrency: this.concurrency, run }));
    }
  }

  /** Takes no more jobs and waits for those that run. */
  async drain(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.drain()));
  }

  /** A job that another run has, or had, is no work and no error. */
  async runOnce(handler: JobHandler, { payload }: QueuedJob): Promise<void> {
    const startedMs = performance.now();
    const job = await claimJob(this.pool, queuedJobSchema.parse(payload), randomUUID(), handler.claimMs);
    if (!job) return;
    const outcome = await this.attempt(handler, job);
    const status = await inTransaction(this.pool, async (db) => {
      const ended = await endJob(db, job, outcome);
      if (ended) await handler.record?.(db, job, outcome, ended);
      return ended;
    });
    const latencyMs = Math.round(performance.now() - startedMs);
    this.onEnd(handler.queue, status ?? 'lost', latencyMs);
    const { organizationId, jobId, eventId, attempts } = job;
    const line = { event: 'job.ended', queue: handler.queue, organizationId, jobId, eventId, attempts, status: status ?? 'lost', reason: outcome.reason, latencyMs };
    if (status === 'dead') this.logger.error(line);
    else this.logger.info(line);
  }

  private async attempt(handler: JobHandler, job: ClaimedJob): Promise<JobOutcome> {
    try {
      return await handler.run(job);
    } catch (error) {
      this.logger.warn({ event: 'job.threw', queue: handler.queue, jobId: job.jobId, attempts: job.attempts, error });
      const reason = error instanceof Error ? error.name : 'unknown';
      return { ok: false, reason: `threw ${reason}`, retryMs: retryWaitMs(handler.waitsSeconds, job.attempts, Math.random()) };
    }
  }
}
