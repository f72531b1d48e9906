import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createTestDatabase, type TestDatabase } from '../../../../test/support/postgres.js';
import { RedisProcess } from '../../../../test/support/redis.js';
import { itNeeds } from '../../../../test/support/requirements.js';
import { startTcpProxy, type TcpProxy } from '../../../../test/support/tcp-proxy.js';
import { until } from '../../../../test/support/until.js';
import { openQueueStore, type QueuedJob, type QueueStore } from './queue.js';

const silenceMsMax = 1_500;
const testMsMax = 90_000;

let database: TestDatabase;
const opened: QueueStore[] = [];
beforeAll(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()));
});
afterAll(() => database.drop());

const jobs = (count: number): QueuedJob[] => Array.from({ length: count }, (_, index) => ({ id: `${randomUUID()}-0`, payload: { index } }));

interface Backend {
  readonly name: string;
  readonly testNeeds: typeof it | typeof it.skip;
  readonly open: () => QueueStore;
  readonly flush: () => Promise<void>;
  readonly begin: () => Promise<void>;
  readonly end: () => Promise<void>;
}

let redis: RedisProcess;
const errors: unknown[] = [];
const openStore = (redisUrl?: string, redisCluster = false): QueueStore => {
  const store = openQueueStore({ databaseUrl: database.appUrl, redisUrl, redisCluster, applicationName: 'test', silenceMsMax, onError: (error) => errors.push(error) });
  opened.push(store);
  return store;
};
const redisBackend = (name: string, cluster: boolean): Backend => ({
  name,
  testNeeds: itNeeds('redis'),
  begin: async () => void (redis = await RedisProcess.start({ cluster })),
  end: () => redis.stop(),
  open: () => openStore(redis.url, cluster),
  flush: () => redis.flush(),
});

const backends: Backend[] = [
  {
    name: 'Postgres',
    testNeeds: it,
    begin: async () => undefined,
    end: async () => undefined,
    open: () => openStore(),
    flush: async () => {
      const { default: pg } = await import('pg');
      const client = new pg.Client(database.ownerUrl);
      await client.connect();
      await client.query('TRUNCATE bullmq.job CASCADE');
      await client.end();
    },
  },
  redisBackend('Redis', false),
  redisBackend('a Redis Cluster', true),
];

describe.each(backends)('queues in $name', ({ testNeeds, begin, end, open, flush }) => {
  const isMet = testNeeds === it;
  beforeAll(async () => {
    if (isMet) await begin();
  });
  afterAll(async () => {
    if (isMet) await end();
  });

  testNeeds('hand out what is added, in order, with its payload', async () => {
    const store = open();
    const added = jobs(20);
    await store.add('send-mail', added);
    expect(await store.depth('send-mail')).toEqual({ waiting: 20, active: 0 });
    const seen: QueuedJob[] = [];
    store.work('send-mail', { concurrency: 1, run: async (job) => void seen.push(job) });
    await until('all have run', () => seen.length === added.length);
    expect(seen).toEqual(added);
    await until('nothing is left', async () => (await store.depth('send-mail')).active === 0);
  });

  testNeeds('hold a job once that is added twice, and take it again after it has run', async () => {
    const store = open();
    const [job] = jobs(1);
    await store.add('send-mail', [job!, job!]);
    await store.add('send-mail', [job!]);
    expect((await store.depth('send-mail')).waiting).toBe(1);
    let runs = 0;
    store.work('send-mail', { concurrency: 1, run: async () => void (runs += 1) });
    await until('it has run and is gone', async () => runs === 1 && Object.values(await store.depth('send-mail')).every((count) => count === 0));
    await store.add('send-mail', [job!]);
    await until('it has run again', () => runs === 2);
  });

  testNeeds('go on past a job that throws', async () => {
    const store = open();
    const seen: unknown[] = [];
    const [poison, sound] = jobs(2);
    errors.length = 0;
    const run = async ({ id }: QueuedJob): Promise<void> => {
      if (id === poison!.id) throw new Error('always');
      seen.push(id);
    };
    await store.add('deliver-webhook', [poison!, sound!]);
    store.work('deliver-webhook', { concurrency: 1, run });
    await until('the other has run', () => seen.length === 1);
    await until('the one was told', () => errors.some((error) => error instanceof Error && error.message === 'always'));
    expect(seen).toEqual([sound!.id]);
  });

  testNeeds('give the job of a silent worker to another', async () => {
    const [dying, living] = [open(), open()];
    const [job] = jobs(1);
    await dying.add('deliver-webhook', [job!]);
    let begun = false;
    dying.work('deliver-webhook', { concurrency: 1, run: () => ((begun = true), new Promise(() => undefined)) });
    await until('the first has it', () => begun);
    // Closed by force it renews nothing and reports nothing, as if it were dead.
    await dying.close();
    let recovered = false;
    living.work('deliver-webhook', { concurrency: 1, run: async () => void (recovered = true) });
    await until('the other had it', () => recovered);
  });

  testNeeds('finish running jobs on a drain, and begin no other', async () => {
    const store = open();
    let finish: (() => void) | null = null;
    const ended: string[] = [];
    const run = async ({ id }: QueuedJob): Promise<void> => {
      await new Promise<void>((resolve) => (finish = resolve));
      ended.push(id);
    };
    const [first, second] = jobs(2);
    await store.add('send-mail', [first!, second!]);
    const worker = store.work('send-mail', { concurrency: 1, run });
    await until('the first runs', () => finish !== null);
    expect((await store.depth('send-mail')).active).toBe(1);
    const drained = worker.drain();
    finish!();
    await drained;
    expect(ended).toEqual([first!.id]);
    expect((await store.depth('send-mail')).waiting).toBe(1);
    await flush();
  });

  testNeeds('are empty after their store is flushed, and take the same jobs again', async () => {
    const store = open();
    const added = jobs(5);
    await store.add('send-mail', added);
    await flush();
    expect(await store.depth('send-mail')).toEqual({ waiting: 0, active: 0 });
    await store.add('send-mail', added);
    expect((await store.depth('send-mail')).waiting).toBe(5);
    await flush();
  });

  testNeeds('report whether their store answers', async () => {
    await expect(open().check()).resolves.toBeUndefined();
  });
});

describe('queues in Postgres that is away', () => {
  let proxy: TcpProxy;
  beforeEach(async () => {
    const { hostname, port } = new URL(database.appUrl);
    proxy = await startTcpProxy({ host: hostname, port: Number(port) });
  });
  afterEach(() => proxy.close());

  const openThrough = (): { store: QueueStore; failures: unknown[] } => {
    const failures: unknown[] = [];
    const store = openQueueStore({ databaseUrl: proxy.through(database.appUrl), applicationName: 'test', silenceMsMax, onError: (error) => failures.push(error) });
    opened.push(store);
    return { store, failures };
  };

  it('begin once Postgres is there', async () => {
    proxy.refuse(true);
    const { store, failures } = openThrough();
    const seen: string[] = [];
    store.work('send-mail', { concurrency: 1, run: async ({ id }) => void seen.push(id) });
    const [job] = jobs(1) as [QueuedJob];
    await expect(store.add('send-mail', [job])).rejects.toThrow();
    await until('its worker was told', () => failures.length > 0);
    proxy.refuse(false);
    await store.add('send-mail', [job]);
    await until('the job has run', () => seen.includes(job.id));
  }, testMsMax);

  it('ask Postgres a few times a second at most, and go on when it is back', async () => {
    const { store, failures } = openThrough();
    const seen: string[] = [];
    store.work('send-mail', { concurrency: 1, run: async ({ id }) => void seen.push(id) });
    const [first, second] = jobs(2) as [QueuedJob, QueuedJob];
    await store.add('send-mail', [first]);
    await until('the first job has run', () => seen.includes(first.id));

    proxy.refuse(true);
    proxy.resetAll();
    await until('its worker was told', () => failures.length > 0);
    const [told, toldAtMs] = [failures.length, performance.now()];
    await until('it was told a dozen times', () => failures.length >= told + 12, 30_000);
    expect(performance.now() - toldAtMs).toBeGreaterThan(1_000);

    proxy.refuse(false);
    await store.add('send-mail', [second]);
    await until('the second job has run', () => seen.includes(second.id), 30_000);
  }, testMsMax);
});
