import type { Job } from 'bullmq';

export interface QueueStoreSettings {
  readonly databaseUrl: string;
  /** Queues move to this Redis or Valkey. */
  readonly redisUrl?: string | undefined;
  /** The address above is one node of a cluster. */
  readonly redisCluster?: boolean;
  readonly applicationName: string;
  /** A run that is silent for this long is given to another worker; three times as often as that the store is looked through for such. */
  readonly silenceMsMax?: number;
  /** Told of what breaks while nobody waits for an answer, and of runs that throw. */
  readonly onError: (error: unknown) => void;
}

/** One shape for the two backends of BullMQ. */
export interface QueueBackend {
  readonly name: 'postgres' | 'redis';
  queue(name: string): BackendQueue;
  worker(name: string, run: (job: Job) => Promise<void>, options: BackendWorkerOptions): BackendWorker;
  check(): Promise<void>;
  close(): Promise<void>;
}

export interface BackendQueue {
  addBulk(jobs: { name: string; data: unknown; opts: { jobId: string; attempts: number; removeOnComplete: boolean; removeOnFail: boolean } }[]): Promise<unknown>;
  getJobCounts(...types: ('waiting' | 'active')[]): Promise<Record<string, number>>;
  on(event: 'error', listener: (error: Error) => void): unknown;
  waitUntilReady(): Promise<unknown>;
  close(): Promise<void>;
}

export interface BackendWorker {
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'failed', listener: (job: Job | undefined, error: Error) => void): unknown;
  waitUntilReady(): Promise<unknown>;
  run(): Promise<void>;
  close(force?: boolean): Promise<void>;
}

export interface BackendWorkerOptions {
  readonly concurrency: number;
  readonly lockDuration: number;
  readonly stalledInterval: number;
  readonly maxStalledCount: number;
  readonly runRetryDelay: number;
  readonly autorun: false;
}
