import { createRedisBackend, withBackend } from 'bullmq';
import { Cluster, Redis } from 'ioredis';
import type { QueueBackend } from './queue-backend.js';

const connectMsMax = 5_000;
const commandMsMax = 5_000;
const reconnectMsMax = 2_000;
/** The braces keep all keys of a queue on one node of a cluster. */
const prefix = '{kilotoken}';

/** Queues in Redis or Valkey, or in a cluster of them. */
export const openRedisBackend = (url: string, isCluster: boolean, onError: (error: unknown) => void): QueueBackend => {
  // Adding jobs is answered within seconds, also by a frozen store. Workers wait for jobs as long as it takes.
  const asking = connect(url, isCluster, { commandTimeout: commandMsMax, enableOfflineQueue: true, maxRetriesPerRequest: 1 });
  const waiting = connect(url, isCluster, { maxRetriesPerRequest: null });
  for (const client of [asking, waiting]) client.on('error', onError);
  const { Queue, Worker } = withBackend(createRedisBackend);
  return {
    name: 'redis',
    queue: (name) => new Queue(name, { connection: asking, prefix }),
    worker: (name, run, options) => new Worker(name, run, { connection: waiting, prefix, ...options }),
    check: async () => {
      await asking.ping();
    },
    close: async () => {
      for (const client of [asking, waiting]) client.disconnect();
    },
  };
};

interface ClientOptions {
  readonly commandTimeout?: number;
  readonly enableOfflineQueue?: boolean;
  readonly maxRetriesPerRequest: number | null;
}

const connect = (url: string, isCluster: boolean, options: ClientOptions): Redis | Cluster => {
  const common = { ...options, connectTimeout: connectMsMax, keepAlive: 10_000 };
  const retryStrategy = (attempt: number): number => Math.min(attempt * 100, reconnectMsMax);
  if (!isCluster) return new Redis(url, { ...common, retryStrategy });
  const { username, password, protocol } = new URL(url);
  const login = { username: decodeURIComponent(username) || undefined, password: decodeURIComponent(password) || undefined };
  return new Cluster([url], { clusterRetryStrategy: retryStrategy, redisOptions: { ...common, ...login, ...(protocol === 'rediss:' ? { tls: {} } : {}) } });
};
