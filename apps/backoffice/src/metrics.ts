import { readBacklog } from '@kilotoken/events';
import type { Platform } from '@kilotoken/platform';
import type { QueueStore } from '@kilotoken/platform/queue';
import { queueNames } from '@kilotoken/contracts';
import type { Pool } from 'pg';
import { Counter, Gauge, Histogram } from 'prom-client';

/** What the backoffice counts as it works; how much waits is asked of the database when somebody looks. */
export interface BackofficeMetrics {
  readonly dispatched: Counter;
  readonly jobSeconds: Histogram<'queue' | 'end'>;
  readonly nights: Counter<'name' | 'ok'>;
  readonly findings: Gauge<'check'>;
}

const secondsBuckets = [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60];

export const createMetrics = ({ registry }: Platform): BackofficeMetrics => {
  const registers = [registry];
  return {
    dispatched: new Counter({ name: 'kilotoken_events_dispatched_total', help: 'Events that were numbered and made into jobs.', registers }),
    jobSeconds: new Histogram({
      name: 'kilotoken_job_seconds',
      help: 'Runs of jobs by how they ended: done, waiting for another attempt, dead, or lost to another run.',
      labelNames: ['queue', 'end'],
      buckets: secondsBuckets,
      registers,
    }),
    nights: new Counter({ name: 'kilotoken_nightly_runs_total', help: 'Nightly work by name and whether it went well.', labelNames: ['name', 'ok'], registers }),
    findings: new Gauge({ name: 'kilotoken_reconcile_findings', help: 'What the last nightly proof of the books found, by check.', labelNames: ['check'], registers }),
  };
};

/** A store that is away must not hide the other numbers: its own are left out then. */
export const watchBacklog = ({ registry, logger }: Platform, pool: Pool, queues: QueueStore): void => {
  const registers = [registry];
  const oldest = new Gauge({ name: 'kilotoken_jobs_oldest_seconds', help: 'Age of the oldest event or job by queue and status.', labelNames: ['queue', 'status'], registers });
  new Gauge({
    name: 'kilotoken_jobs',
    help: 'Events (queue "outbox") that are not dispatched, and jobs that wait or are dead, as Postgres has them.',
    labelNames: ['queue', 'status'],
    registers,
    async collect() {
      this.reset();
      oldest.reset();
      const backlog = await readBacklog(pool).catch((error: unknown) => {
        logger.warn({ event: 'metrics.failed', error });
        return [];
      });
      for (const { queue, status, count, oldestSeconds } of backlog) {
        this.set({ queue, status }, count);
        oldest.set({ queue, status }, oldestSeconds);
      }
    },
  });
  new Gauge({
    name: 'kilotoken_queue_depth',
    help: 'Jobs in the queue itself, by state.',
    labelNames: ['queue', 'state'],
    registers,
    async collect() {
      this.reset();
      for (const queue of queueNames) {
        const depth = await queues.depth(queue).catch(() => null);
        if (!depth) continue;
        this.set({ queue, state: 'waiting' }, depth.waiting);
        this.set({ queue, state: 'active' }, depth.active);
      }
    },
  });
};
