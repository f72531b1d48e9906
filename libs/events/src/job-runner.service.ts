import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { jobCatalogue, platformId, queuedJobSchema, type QueueName } from '@kilotoken/contracts';
import { inTransaction } from '@kilotoken/platform';
import type { QueuedJob, QueueStore, QueueWorker } from '@kilotoken/platform/queue';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { runBounded } from './job-run.js';
import { claimJob, endJob, renewClaim, type ClaimedJob } from './outbox.store.js';
import { queuesOf, type Job, type JobOutcome, type JobStatus, type NamedQueue, type QueueTable } from './queue-table.js';
import { retryWaitMs } from './retry.js';

type JobEnd = JobStatus | 'lost';

/** Called after each run. */
export type OnJobEnd = (queue: QueueName, end: JobEnd, latencyMs: number) => void;

/** A claim outlasts its run's timeout by so much, in which the run records how it ended. */
const claimMarginMs = 5_000;
/** A longer run renews its claim: when its process is killed, another begins the job a minute later, not after the run's timeout. */
const claimMsMax = 60_000;

/** Runs the jobs that come out of the queues: claims, does, records. Whatever a processor throws costs its own job an attempt. */
@Injectable()
export class JobRunnerService {
  private readonly workers = new Map<QueueName, QueueWorker>();
  private readonly draining = new AbortController();
  private readonly named: ReadonlyMap<QueueName, NamedQueue>;

  constructor(
    table: QueueTable,
    private readonly pool: Pool,
    private readonly queues: QueueStore,
    private readonly logger: Logger,
    private readonly onEnd: OnJobEnd = () => undefined,
  ) {
    this.named = new Map(queuesOf(table).map((named) => [named.queue, named]));
  }

  start(): void {
    for (const { queue, concurrency } of this.named.values()) {
      const run = (job: QueuedJob): Promise<void> => this.runOnce(queue, job);
      this.workers.set(queue, this.queues.work(queue, { concurrency, run }));
    }
  }

  /** Whether this process takes jobs of the queue at the moment. */
  isWorking(queue: QueueName): boolean {
    return this.workers.get(queue)?.isWorking() ?? false;
  }

  /** Takes no more jobs and waits for those that run. */
  async drain(): Promise<void> {
    this.draining.abort();
    await Promise.all([...this.workers.values()].map((worker) => worker.drain()));
  }

  /** Runs a job of a queue of the table. A job that another run has, or had, is no work and no error. */
  async runOnce(queue: QueueName, { payload }: QueuedJob): Promise<void> {
    const named = this.named.get(queue)!;
    const startedMs = performance.now();
    const claimMs = Math.min(named.timeoutMs + claimMarginMs, claimMsMax);
    const claimed = await claimJob(this.pool, queuedJobSchema.parse(payload), randomUUID(), claimMs);
    if (!claimed) return;
    const job = toJob(queue, claimed);
    const outcome = job ? await this.attempt(named, job, claimed, claimMs) : payloadRefused;
    const status = (await this.record(named, job, claimed, outcome)) ?? 'lost';
    const latencyMs = Math.round(performance.now() - startedMs);
    this.onEnd(queue, status, latencyMs);
    const { organizationId, jobId, eventId, attempts } = claimed;
    // An organization's details may quote its receiver; the platform's own are for its operators.
    const detail = organizationId === platformId ? { detail: outcome.detail } : {};
    const line = { event: 'job.ended', queue, organizationId, jobId, eventId, attempts, status, reason: outcome.reason, latencyMs, ...detail };
    if (status === 'dead') this.logger.error(line);
    else this.logger.info(line);
  }

  private record(named: NamedQueue, job: Job | null, claimed: ClaimedJob, outcome: JobOutcome): Promise<JobStatus | null> {
    const { ok, reason, detail, isFinal = false, askedWaitMs } = outcome;
    const retryMs = ok || isFinal ? null : retryWaitMs(named.waitsSeconds, claimed.attempts, Math.random(), askedWaitMs);
    return inTransaction(this.pool, async (db) => {
      const status = await endJob(db, claimed, { ok, outcome: { ok, reason, ...detail }, retryMs });
      if (status && job) await named.processor.record?.(db, job, outcome, status);
      return status;
    });
  }

  private async attempt({ queue, processor, timeoutMs, endsOnDrain = false }: NamedQueue, job: Job, claimed: ClaimedJob, claimMs: number): Promise<JobOutcome> {
    const { jobId, attempts } = job;
    try {
      return await runBounded((signal) => processor.run(job, signal), {
        timeoutMs,
        ...(endsOnDrain ? { ending: this.draining.signal } : {}),
        renewal: {
          everyMs: claimMsMax / 3,
          renew: () => renewClaim(this.pool, claimed, claimMs),
          onError: (error) => this.logger.warn({ event: 'job.not_renewed', queue, jobId, attempts, error }),
        },
      });
    } catch (error) {
      this.logger.warn({ event: 'job.threw', queue, jobId, attempts, error });
      return { ok: false, reason: `threw ${error instanceof Error ? error.name : 'unknown'}` };
    }
  }
}

/** A later attempt may be a newer release's, which knows the payload: it is not final. */
const payloadRefused: JobOutcome = { ok: false, reason: "the payload does not fit the queue's schema" };

/** Null: the payload does not fit. */
const toJob = (queue: QueueName, { claimId: _claimId, payload, ...claimed }: ClaimedJob): Job | null => {
  const parsed = jobCatalogue[queue].payload.safeParse(payload);
  return parsed.success ? { ...claimed, payload: parsed.data } : null;
};
