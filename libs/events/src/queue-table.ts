import { queueNames, type JobPayload, type QueueName } from '@kilotoken/contracts';
import type { Db } from '@kilotoken/platform';
import { attemptsMaxOf } from './retry.js';

/** A job whose run has begun. */
export interface Job<Queue extends QueueName = QueueName> {
  readonly organizationId: string;
  readonly jobId: string;
  /** Null: no event caused the job. */
  readonly eventId: string | null;
  readonly payload: JobPayload<Queue>;
  /** This one included. */
  readonly attempts: number;
}

export type JobStatus = 'waiting' | 'done' | 'dead';

/** How an attempt ended. `reason` and `detail` are kept with the job and shown to its owner: no secret, no body of ours. */
export interface JobOutcome {
  readonly ok: boolean;
  readonly reason: string;
  readonly detail?: Readonly<Record<string, unknown>>;
  /** A failure that another attempt would not mend. */
  readonly isFinal?: boolean;
  /** The next attempt begins no sooner, within a day. */
  readonly askedWaitMs?: number;
}

/** Does the jobs of one queue. */
export interface JobProcessor<Queue extends QueueName = QueueName> {
  /**
   * Does the job. It runs again when its process froze or died, so every effect must bear repetition. The signal aborts when the
   * run took too long, lost its job, or should end early because the process drains.
   */
  run(job: Job<Queue>, signal: AbortSignal): Promise<JobOutcome>;
  /** Writes what changes with the attempt's end, in its transaction. */
  record?(db: Db, job: Job<Queue>, outcome: JobOutcome, status: JobStatus): Promise<void>;
}

export interface QueueDefinition<Queue extends QueueName = QueueName> {
  readonly processor: JobProcessor<Queue>;
  /** Back-off: the waits after failed attempts. One attempt more than there are waits, then the job is dead. */
  readonly waitsSeconds: readonly number[];
  /** Jobs that one process runs at once. */
  readonly concurrency: number;
  /** A run that takes longer has failed. */
  readonly timeoutMs: number;
  /** Aborts the run's signal when the process drains; without it a drain waits for the run. */
  readonly endsOnDrain?: boolean;
  /** A due job that nobody begins for longer makes the queue stuck. */
  readonly dueMsMax: number;
  /** Days for which an ended job is kept, and with it the memory of its key. */
  readonly keptDays: number;
}

/**
 * The one table of queues. Workers, dispatcher, retention, metrics and health are made from it. Null: this process does not do
 * the jobs of the queue; others may.
 */
export type QueueTable = { readonly [Queue in QueueName]: QueueDefinition<Queue> | null };

export interface NamedQueue extends QueueDefinition {
  readonly queue: QueueName;
  readonly attemptsMax: number;
}

/** The queues that this process works on, in the catalogue's order. */
export const queuesOf = (table: QueueTable): NamedQueue[] =>
  queueNames.flatMap((queue) => {
    const definition = table[queue];
    return definition ? [{ ...definition, queue, attemptsMax: attemptsMaxOf(definition.waitsSeconds) }] : [];
  });
