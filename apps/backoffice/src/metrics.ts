import { queuesOf, type QueueState, type QueueTable, type QueueWatchService } from '@kilotoken/events';
import type { Platform } from '@kilotoken/platform';
import type { QueueStore } from '@kilotoken/platform/queue';
import { Counter, Gauge, Histogram } from 'prom-client';

/** Metrics that the backoffice counts as it works. */
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

/** Gauges of the queues, read from Postgres and from their store by each scrape. A store that is away hides only its own numbers. */
export const watchQueues = ({ registry, logger }: Platform, table: QueueTable, watch: QueueWatchService, queues: QueueStore): void => {
  const registers = [registry];
  const known = queuesOf(table).map(({ queue }) => queue);
  const readStates = shareRunning(() =>
    watch.readStates().catch((error: unknown): QueueState[] => {
      logger.warn({ event: 'metrics.failed', error });
      return [];
    }),
  );
  const gauge = <Label extends string>(name: string, help: string, labelNames: Label[], fill: (gauge: Gauge<Label>, state: QueueState) => void): Gauge<Label> =>
    new Gauge({
      name,
      help,
      labelNames,
      registers,
      async collect() {
        const states = await readStates();
        this.reset();
        for (const state of states) fill(this, state);
      },
    });
  gauge('kilotoken_jobs', 'Events (queue "outbox") that are not dispatched, and jobs that wait or are dead, as Postgres has them.', ['queue', 'status'], (jobs, { queue, waiting, dead }) => {
    jobs.set({ queue, status: 'waiting' }, waiting);
    jobs.set({ queue, status: 'dead' }, dead);
  });
  gauge('kilotoken_jobs_oldest_seconds', 'Age of the oldest event or job by queue and status.', ['queue', 'status'], (oldest, { queue, waitingSeconds, deadSeconds }) => {
    oldest.set({ queue, status: 'waiting' }, waitingSeconds);
    oldest.set({ queue, status: 'dead' }, deadSeconds);
  });
  gauge('kilotoken_jobs_due_seconds', 'Time for which the oldest due job of a queue has waited to begin.', ['queue'], (due, { queue, dueSeconds }) => due.set({ queue }, dueSeconds));
  gauge('kilotoken_jobs_running', 'Jobs that run, in all processes.', ['queue'], (running, state) => running.set({ queue: state.queue }, state.running));
  new Gauge({
    name: 'kilotoken_queue_depth',
    help: 'Jobs in the queue itself, by state.',
    labelNames: ['queue', 'state'],
    registers,
    async collect() {
      this.reset();
      for (const queue of known) {
        const depth = await queues.depth(queue).catch(() => null);
        if (!depth) continue;
        this.set({ queue, state: 'waiting' }, depth.waiting);
        this.set({ queue, state: 'active' }, depth.active);
      }
    },
  });
};

/** One call serves all who ask while it runs: every metric of a scrape asks at once. */
const shareRunning = <Result>(call: () => Promise<Result>): (() => Promise<Result>) => {
  let running: Promise<Result> | null = null;
  return () =>
    (running ??= call().finally(() => {
      running = null;
    }));
};
