import { Tinypool } from 'tinypool';

/**
 * Worker threads for work that would hold up the event loop: a few threads, a bounded queue in front of them, and a time
 * that no job may exceed. Tenants take turns: a job waits for at most one job of each other tenant before it.
 *
 * A job is a function that a worker file exports by its name. It gets one value and returns one, both cloned as
 * `structuredClone` does: share large bytes as a `SharedArrayBuffer`, which is passed without a copy. Expected refusals are
 * part of what a job returns, because classes of errors do not survive the way back.
 */
export interface Offload<Jobs> {
  /** Rejects with an `OffloadError`, or with what the job threw. */
  run<Name extends keyof Jobs & string>(name: Name, input: InputOf<Jobs[Name]>, tenant: string): Promise<OutputOf<Jobs[Name]>>;
  /** Jobs that wait for a thread. */
  readonly waiting: number;
  stop(): Promise<void>;
}

type InputOf<Job> = Job extends (input: infer Input) => unknown ? Input : never;
type OutputOf<Job> = Job extends (input: never) => infer Output ? Awaited<Output> : never;

export type OffloadFault = 'full' | 'late' | 'stopped';

const messages: Readonly<Record<OffloadFault, string>> = {
  full: 'too many jobs wait for a worker thread',
  late: 'a job took too long and its thread was ended',
  stopped: 'the worker threads are stopped',
};

export class OffloadError extends Error {
  override readonly name = 'OffloadError';

  constructor(readonly fault: OffloadFault) {
    super(messages[fault]);
  }
}

export interface OffloadOptions {
  /** The built JavaScript file whose exports are the jobs. */
  readonly workerFile: URL;
  readonly threadsMax: number;
  /** Jobs that may wait, in all and of one tenant. */
  readonly waitingMax: number;
  readonly waitingPerTenantMax: number;
  /** From the hand-over to a thread, whose start it includes, to the result; then the thread is ended. */
  readonly jobMsMax: number;
  /** A thread whose heap exceeds this is ended by the engine, and its job fails. */
  readonly heapMbMax: number;
  /** A thread that broke while it had no job. */
  readonly onError: (error: unknown) => void;
}

/** A thread that had nothing to do for this long ends and gives its memory back. */
const idleThreadMs = 60_000;

interface Waiting {
  readonly name: string;
  readonly input: unknown;
  readonly resolve: (output: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** A bounded queue that takes one job of each tenant in turn. */
const createTurns = (sizeMax: number, perTenantMax: number) => {
  /** Tenants in the order of their turns; each has at least one job. */
  const queues = new Map<string, Waiting[]>();
  let size = 0;
  return {
    size: () => size,
    hasRoom: (tenant: string): boolean => size < sizeMax && (queues.get(tenant)?.length ?? 0) < perTenantMax,
    add: (tenant: string, job: Waiting): void => {
      const jobs = queues.get(tenant);
      if (jobs) jobs.push(job);
      else queues.set(tenant, [job]);
      size += 1;
    },
    takeNext: (): Waiting | null => {
      const first = queues.entries().next();
      if (first.done) return null;
      const [tenant, jobs] = first.value;
      const job = jobs.shift()!;
      size -= 1;
      queues.delete(tenant);
      // Behind all others: its next turn comes when each of them had one.
      if (jobs.length > 0) queues.set(tenant, jobs);
      return job;
    },
  };
};

export const createOffload = <Jobs>(options: OffloadOptions): Offload<Jobs> => {
  const pool = new Tinypool({
    filename: options.workerFile.href,
    minThreads: 0,
    maxThreads: options.threadsMax,
    concurrentTasksPerWorker: 1,
    idleTimeout: idleThreadMs,
    resourceLimits: { maxOldGenerationSizeMb: options.heapMbMax },
  });
  pool.on('error', options.onError);
  const turns = createTurns(options.waitingMax, options.waitingPerTenantMax);
  let running = 0;
  let stopped = false;

  const start = ({ name, input, resolve, reject }: Waiting): void => {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), options.jobMsMax);
    running += 1;
    pool
      .run(input, { name, signal: abort.signal })
      .then(resolve, (error: unknown) => reject(stopped ? new OffloadError('stopped') : abort.signal.aborted ? new OffloadError('late') : error))
      .finally(() => {
        clearTimeout(timer);
        running -= 1;
        startNext();
      });
  };

  const startNext = (): void => {
    while (running < options.threadsMax) {
      const job = turns.takeNext();
      if (job === null) return;
      start(job);
    }
  };

  return {
    run: async (name, input, tenant) => {
      if (stopped) throw new OffloadError('stopped');
      if (!turns.hasRoom(tenant)) throw new OffloadError('full');
      return new Promise((resolve, reject) => {
        turns.add(tenant, { name, input, resolve: resolve as (output: unknown) => void, reject });
        startNext();
      });
    },
    get waiting() {
      return turns.size();
    },
    stop: async () => {
      stopped = true;
      for (let job = turns.takeNext(); job !== null; job = turns.takeNext()) job.reject(new OffloadError('stopped'));
      await pool.destroy();
    },
  };
};

/** Runs the jobs in this thread: for tests from source, where no built worker file exists. */
export const createInlineOffload = <Jobs extends object>(load: () => Promise<Jobs>): Offload<Jobs> => ({
  run: async (name, input) => ((await load())[name] as (input: unknown) => never)(input),
  waiting: 0,
  stop: async () => undefined,
});
