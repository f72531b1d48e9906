import type { QueueName } from '@kilotoken/contracts';
import type { BackendQueue, BackendWorker, QueueBackend, QueueStoreSettings } from './queue-backend.js';
import { openPostgresBackend } from './queue.postgres.js';
import { openRedisBackend } from './queue.redis.js';
import { ReconnectingWorker, reconnectPauseMs } from './queue.worker.js';

export type { QueueStoreSettings } from './queue-backend.js';

/**
 * A queue decides which process does a job, and how many jobs it does at once. It holds nothing that counts: every job stands in
 * Postgres before it is added here. Adding a job that is here already changes nothing, and a job that a flushed or killed store lost
 * is added again. So a job may come twice, or late, and its run must bear that.
 */
export interface QueuedJob {
  /** Letters, digits and dashes. Two jobs with one id in one queue are one job. */
  readonly id: string;
  /** Must survive JSON. */
  readonly payload: Readonly<Record<string, unknown>>;
}

export interface WorkOptions {
  /** Jobs that this process runs at once. */
  readonly concurrency: number;
  /** A run that throws is reported to `onError`, and its job leaves the queue: the caller that added it adds it again. */
  readonly run: (job: QueuedJob) => Promise<void>;
}

export interface QueueWorker {
  /** False until the store first answered, and while a new worker is made after it broke. */
  isWorking(): boolean;
  /** Takes no more jobs and waits for those that run. */
  drain(): Promise<void>;
}

export interface QueueDepth {
  readonly waiting: number;
  readonly active: number;
}

export interface QueueStore {
  readonly backend: 'postgres' | 'redis';
  /** Adds jobs in this order behind the waiting ones. Rejects within seconds when the store does not answer. */
  add(queue: QueueName, jobs: readonly QueuedJob[]): Promise<void>;
  work(queue: QueueName, options: WorkOptions): QueueWorker;
  depth(queue: QueueName): Promise<QueueDepth>;
  /** Rejects when the store does not answer. */
  check(): Promise<void>;
  close(): Promise<void>;
}

const silenceMsMaxDefault = 30_000;
/** For jobs whose process died; all others end by themselves. */
const recoveriesMax = 3;
const closeMsMax = 2_000;

/** Opens the store. It connects in the background, and again after the store was away. */
export const openQueueStore = (settings: QueueStoreSettings): QueueStore => {
  const { redisUrl, redisCluster = false, silenceMsMax = silenceMsMaxDefault, onError } = settings;
  const backend: QueueBackend = redisUrl ? openRedisBackend(redisUrl, redisCluster, onError) : openPostgresBackend(settings);
  const queues = new Map<QueueName, Promise<BackendQueue>>();
  const workers: ReconnectingWorker[] = [];
  let closing: Promise<void> | null = null;

  /** BullMQ's queue stays broken for good if its store was away when it was made, so a queue is kept only once it was ready. */
  const makeQueue = async (name: QueueName): Promise<BackendQueue> => {
    await backend.check();
    const queue = backend.queue(name);
    queue.on('error', onError);
    try {
      await queue.waitUntilReady();
    } catch (error) {
      queue.close().catch(onError);
      throw error;
    }
    return queue;
  };

  const queueOf = (name: QueueName): Promise<BackendQueue> => {
    const known = queues.get(name);
    if (known) return known;
    const made = makeQueue(name);
    queues.set(name, made);
    made.catch(() => queues.delete(name));
    return made;
  };

  return {
    backend: backend.name,
    add: async (name, jobs) => {
      if (jobs.length === 0) return;
      // Ended jobs are removed: while BullMQ remembers an id, adding it again has no effect.
      const entries = jobs.map(({ id, payload }) => ({ name, data: payload, opts: { jobId: id, attempts: 1, removeOnComplete: true, removeOnFail: true } }));
      await (await queueOf(name)).addBulk(entries);
    },
    work: (name, { concurrency, run }) => {
      const options = { concurrency, lockDuration: silenceMsMax, stalledInterval: Math.ceil(silenceMsMax / 3), maxStalledCount: recoveriesMax, runRetryDelay: reconnectPauseMs, autorun: false } as const;
      const make = (): BackendWorker => {
        const worker = backend.worker(name, async ({ id, data }) => run({ id: id ?? '', payload: data as QueuedJob['payload'] }), options);
        worker.on('error', onError);
        worker.on('failed', (_job, error) => onError(error));
        return worker;
      };
      const worker = new ReconnectingWorker({ check: () => backend.check(), make, onError });
      workers.push(worker);
      return { isWorking: () => worker.isWorking(), drain: () => worker.close() };
    },
    depth: async (name) => {
      const { waiting = 0, active = 0 } = await (await queueOf(name)).getJobCounts('waiting', 'active');
      return { waiting, active };
    },
    check: () => backend.check(),
    close: () => (closing ??= closeAll(backend, [...workers], [...queues.values()])),
  };
};

/** Closing does not wait for a store that is away: its jobs are recovered after their silence. */
const closeAll = async (backend: QueueBackend, workers: readonly ReconnectingWorker[], queues: readonly Promise<BackendQueue>[]): Promise<void> => {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise((resolve) => {
    timer = setTimeout(resolve, closeMsMax);
  });
  await Promise.race([Promise.allSettled([...workers.map((worker) => worker.close(true)), ...queues.map(async (queue) => (await queue).close())]), tooLate]);
  clearTimeout(timer);
  await backend.close();
};
