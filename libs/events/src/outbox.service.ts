import { Injectable } from '@nestjs/common';
import { isQueueName, mailedEventNames, queuedJobId, type QueueName } from '@kilotoken/contracts';
import { PollLoop, sqlStateOf } from '@kilotoken/platform';
import type { QueuedJob, QueueStore } from '@kilotoken/platform/queue';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { dispatchEvents, takeDueJobs, type DueJob } from './outbox.store.js';
import { queuesOf, type NamedQueue, type QueueTable } from './queue-table.js';

export interface OutboxSettings {
  /** Pause between two looks at the outbox. */
  readonly pauseMs: number;
  /** Jobs of one organization and queue that are handed over, or run, at a time. */
  readonly perOrganizationMax: number;
  /** After this long without a run a job is handed to the queue again: the queue may have lost it. */
  readonly silenceMs: number;
}

const eventsPerDispatchMax = 500;
const jobsPerHandoverMax = 500;
const busyPauseMs = 50;

/**
 * Dispatches events, which makes their jobs in Postgres, exactly once; then hands due jobs to their queues, at least once, in order.
 * Any number of processes may do it. A queue that loses its jobs gets them again.
 */
@Injectable()
export class OutboxService {
  private readonly loop: PollLoop;
  private readonly named: readonly NamedQueue[];

  constructor(
    private readonly settings: OutboxSettings,
    table: QueueTable,
    private readonly pool: Pool,
    private readonly queues: QueueStore,
    logger: Logger,
    private readonly onDispatched: (events: number) => void = () => undefined,
  ) {
    this.named = queuesOf(table);
    // A job that was not handed over is due again after its silence; an event that was not dispatched waits where it is.
    const onError = (error: unknown): void => logger.warn({ event: 'outbox.failed', sqlState: sqlStateOf(error), error });
    this.loop = new PollLoop({ once: () => this.moveOnce(), onError });
  }

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
  }

  /** Dispatches one batch and hands over one; answers how many milliseconds to wait before the next. */
  async moveOnce(): Promise<number> {
    const { perOrganizationMax: perOrganization, silenceMs, pauseMs } = this.settings;
    const events = await dispatchEvents(this.pool, eventsPerDispatchMax, mailedEventNames);
    if (events > 0) this.onDispatched(events);
    const due = await takeDueJobs(this.pool, { queues: this.named, limit: jobsPerHandoverMax, perOrganization, silenceMs });
    await this.handOver(due);
    if (events === eventsPerDispatchMax || due.length === jobsPerHandoverMax) return 0;
    // The jobs that were handed over soon make room for others of their organization.
    return due.length > 0 ? Math.min(busyPauseMs, pauseMs) : pauseMs;
  }

  private async handOver(due: readonly DueJob[]): Promise<void> {
    const byQueue = new Map<QueueName, QueuedJob[]>();
    for (const { queue, organizationId, jobId, attempts } of due) {
      if (!isQueueName(queue)) continue;
      const payload = { organizationId, jobId, attempts };
      const jobs = byQueue.get(queue) ?? [];
      jobs.push({ id: queuedJobId(payload), payload });
      byQueue.set(queue, jobs);
    }
    for (const [queue, jobs] of byQueue) await this.queues.add(queue, jobs);
  }
}
