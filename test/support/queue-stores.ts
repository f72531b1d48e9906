import { it } from '@jest/globals';
import { RedisProcess } from './redis.js';
import { itNeeds } from './requirements.js';

/** Every store that queues may live in, for proofs that hold on each. */
export interface QueueStoreUnderTest {
  readonly name: string;
  /** `it`, where the store can be had. */
  readonly needs: typeof it | typeof it.skip;
  /** Starts it; answers the settings of a process that uses it. */
  start(): Promise<Record<string, string>>;
  stop(): Promise<void>;
}

const inRedis = (): QueueStoreUnderTest => {
  const needs = itNeeds('redis');
  let redis: RedisProcess | null = null;
  return {
    name: 'Redis',
    needs,
    start: async (): Promise<Record<string, string>> => {
      // Where its tests are skipped, nobody needs it.
      if (needs !== it) return {};
      redis = await RedisProcess.start();
      return { REDIS_URL: redis.url };
    },
    stop: async () => redis?.stop(),
  };
};

export const queueStores: readonly QueueStoreUnderTest[] = [{ name: 'Postgres', needs: it, start: async () => ({}), stop: async () => undefined }, inRedis()];
