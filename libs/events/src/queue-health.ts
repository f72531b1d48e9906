import { queueNames, type QueueName } from '@kilotoken/contracts';
import type { QueueState } from './outbox.store.js';

/** A queue that does not move, and what an operator does about it. */
export interface StuckQueue {
  /** `outbox` for events that are not dispatched. */
  readonly queue: string;
  readonly problem: string;
}

export interface WatchedQueue {
  readonly queue: QueueName;
  readonly dueMsMax: number;
  /** This process takes its jobs. */
  readonly isWorking: boolean;
}

const eventsQueue = 'outbox';

/** Whole seconds up to two minutes, whole minutes above. */
const say = (seconds: number): string => (seconds < 120 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`);

/**
 * Which queues are stuck: their jobs are due and nobody begins them, or this process has no worker for them. Jobs that wait for
 * others of their own organization do not count: a customer whose receivers hang holds up nobody else, and alarms nobody.
 *
 * A queue with jobs that stands in no table is that of another release; it is held to `dueMsMaxDefault`.
 */
export const findStuckQueues = (states: readonly QueueState[], watched: readonly WatchedQueue[], dueMsMaxDefault: number): StuckQueue[] => {
  const stuck: StuckQueue[] = watched
    .filter(({ isWorking }) => !isWorking)
    .map(({ queue }) => ({ queue, problem: 'this process has no worker for it; it makes one once the store of the queues answers (see queue.failed in its log)' }));
  for (const { queue, stuckSeconds, waiting, running } of states) {
    const dueMsMax = watched.find((entry) => entry.queue === queue)?.dueMsMax ?? dueMsMaxDefault;
    if (stuckSeconds * 1_000 <= dueMsMax) continue;
    const age = `the oldest waits since ${say(stuckSeconds)}, more than ${say(dueMsMax / 1_000)} is not normal`;
    if (queue === eventsQueue) stuck.push({ queue, problem: `${waiting} events are not dispatched, ${age}; see outbox.failed in the log` });
    else stuck.push({ queue, problem: `${waiting - running} jobs wait and ${running} run, ${age}; ${adviceOn(queue)}` });
  }
  return stuck;
};

const adviceOn = (queue: string): string =>
  (queueNames as readonly string[]).includes(queue)
    ? 'see job.threw and queue.failed in the log, raise JOB_CONCURRENCY or run more of this process'
    : 'this release does not know it: run the release that does';
