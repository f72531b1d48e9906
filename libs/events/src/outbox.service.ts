import { Injectable } from '@nestjs/common';
import { mailedEventNames, queuedJobId, type QueueName, queueNames } from '@kilotoken/contracts';
import { Repetition, sqlStateOf } from '@kilotoken/platform';
import type { QueueStore } from '@kilotoken/platform/queue';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { dispatchEvents, takeDueJobs, type DueJob } from './outbox.store.js';
import { attemptsMaxOf, mailWaitsSeconds, webhookWaitsSeconds } from './retry.js';

export interface OutboxSettings {
  /** Pause between two looks at the outbox. */
  readonly pauseMs: number;
  /** Jobs of one organization that are in a queue, or run, at a time. */
  readonly perOrganizationMax: number;
  /** After this long without a run a job is handed to the queue again: the queue may have lost it. */
  readonly silenceMs: number;
}

const eventsPerDispatchMax = 500;
const jobsPerHandoverMax = 500;
const busyPauseMs = 50;

const isQueueName = (name: string): name is QueueName => (queueNames as readonly string[]).includes(name);

/**
 * Moves what the outbox holds: events become jobs in Postgres, exactly once; jobs that are due are handed to the queue, at
 * least once, in order. Any number of processes may do it; a queue that loses its jobs gets them again.
 */
@Injectable()
export class OutboxService {
  private readonly repetition: Repetition;

  constructor(
    private readonly settings: OutboxSettings,
    private readonly pool: Pool,
    private readonly queues: QueueStore,
    logger: Logger,
    private readonly onDispatched: (events: number) => void = () => undefined,
  ) {
    // What was not handed over is due again after its silence; what was not dispatched waits where it is.
    const onError = (error: unknown): void => logger.warn({ event: 'outbox.failed', sqlState: sqlStateOf(error), error });
    this.repetition = new Repetition({ once: () => this.moveOnce(), onError });
  }

  start(): void {
    this.repetition.start();
  }

  async stop(): Promise<void> {
    await this.repetition.stop();
  }

  /** Dispatches one batch and hands over one; answers how long to wait before the next. */
  async moveOnce(): Promise<number> {
    const events = await dispatchEvents(this.pool, {
      limit: eventsPerDispatchMax,
      mailedKinds: mailedEventNames,
      webhookAttemptsMax: attemptsMaxOf(webhookWaitsSeconds),
      mailAttemptsMax: attemptsMaxOf(mailWaitsSeconds),
    });
    if (events > 0) this.onDispatched(events);
    const due = await takeDueJobs(this.pool, jobsPerHandoverMax, this.settings.perOrganizationMax, this.settings.silenceMs);
    await this.handOver(due);
    if (events === eventsPerDispatchMax || due.length === jobsPerHandoverMax) return 0;
    // What was handed over makes room soon, for whatever of the same organization waits.
    return due.length > 0 ? Math.min(busyPauseMs, this.settings.pauseMs) : this.settings.pauseMs;
  }

  private async handOver(due: readonly DueJob[]): Promise<void> {
    const byQueue = new Map<QueueName, DueJob[]>();
    for (const job of due) {
      // Of a newer release that runs beside this one: it hands it over when it is due again.
      if (!isQueueName(job.queue)) continue;
      byQueue.set(job.queue, [...(byQueue.get(job.queue) ?? []), job]);
    }
    for (const [queue, jobs] of byQueue) {
      const queued = jobs.map(({ organizationId, jobId, attempts }) => {
        const payload = { organizationId, jobId, attempts };
        return { id: queuedJobId(payload), payload };
      });
      await this.queues.add(queue, queued);
    }
  }
}
