import type { Job } from 'bullmq';

export interface QueueStoreSettings {
  readonly databaseUrl: string;
  /** Moves the queues to this Redis or Valkey. */
  readonly redisUrl?: string | undefined;
  /** `redisUrl` is a node of a cluster. */
  readonly redisCluster?: boolean;
  readonly applicationName: string;
  /** Another worker gets a run that is silent for longer. The store is searched for such runs three times as often. */
  readonly silenceMsMax?: number;
  /** Called for failures that no caller awaits, and for runs that throw. */
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
