import { Injectable } from '@nestjs/common';
import { AppError, type Clock } from '@kilotoken/platform';
import type { Pool } from 'pg';
import type { JobRunnerService } from './job-runner.service.js';
import { readQueueStates, type QueueState } from './outbox.store.js';
import { findStuckQueues } from './queue-health.js';
import { queuesOf, type QueueTable } from './queue-table.js';

export interface QueueWatchSettings {
  readonly perOrganizationMax: number;
  /** For queues of other releases, and for events that are not dispatched. */
  readonly dueMsMaxDefault: number;
}

/** Counting what waits reads every job that waits, and anybody may ask for a process's readiness. */
const stateAgeMsMax = 2_000;

/** Looks at how the queues stand, for readiness and metrics. */
@Injectable()
export class QueueWatchService {
  private latest: { readonly atMs: number; readonly states: Promise<QueueState[]> } | null = null;

  constructor(
    private readonly settings: QueueWatchSettings,
    private readonly table: QueueTable,
    private readonly pool: Pool,
    private readonly runner: Pick<JobRunnerService, 'isWorking'>,
    private readonly clock: Clock,
  ) {}

  /** As Postgres has them now. */
  readStates(): Promise<QueueState[]> {
    return readQueueStates(this.pool, this.settings.perOrganizationMax);
  }

  /** Throws `queue_stuck`, which names each stuck queue and what to do. Two seconds old at most. */
  async check(): Promise<void> {
    const nowMs = this.clock.monotonicMs();
    if (!this.latest || nowMs - this.latest.atMs > stateAgeMsMax) this.latest = { atMs: nowMs, states: this.readStates() };
    const watched = queuesOf(this.table).map(({ queue, dueMsMax }) => ({ queue, dueMsMax, isWorking: this.runner.isWorking(queue) }));
    const stuck = findStuckQueues(await this.latest.states, watched, this.settings.dueMsMaxDefault);
    if (stuck.length === 0) return;
    const publicMessage = `${stuck.map(({ queue, problem }) => `${queue}: ${problem}`).join('. ')}. See docs/operations/queues.md.`;
    throw new AppError({ code: 'queue_stuck', kind: 'unavailable', publicMessage });
  }
}
