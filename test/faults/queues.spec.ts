import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ClientLog } from '../support/client-log.js';
import { startLoad } from '../support/client-load.js';
import { createBackoffice, startReceiver, type Backoffice, type Receiver } from '../support/backoffice.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { RedisProcess } from '../support/redis.js';
import { itNeeds } from '../support/requirements.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/**
 * The store of the queues is flushed, frozen, killed or changed while customers are served: money is untouched, and every job is done,
 * since each stands in Postgres.
 */

const EVENTS = 12;
const TEST_MS_MAX = 120_000;
const needsRedis = itNeeds('redis');

let vendor: Vendor;
let cluster: Cluster;
let receiver: Receiver;
let client: ClientLog;
let backoffice: Backoffice;
let redis: RedisProcess | null = null;

beforeAll(async () => {
  vendor = await startVendor();
  cluster = await startCluster({ models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }], grants: ['100'] });
  receiver = await startReceiver();
  // Events of the tenant's own making are no concern of these tests.
  await cluster.sql('DELETE FROM outbox_event');
  await cluster.sql(
    `WITH endpoint AS (INSERT INTO webhook_endpoint (organization_id, id, url, kinds) VALUES ($1, uuidv7(), $2, '{key.created}') RETURNING organization_id, id)
     INSERT INTO webhook_secret (organization_id, endpoint_id, id, secret) SELECT organization_id, id, uuidv7(), 'whsec_' || repeat('A', 43) || '=' FROM endpoint`,
    [cluster.tenant.organizationId, `${receiver.url}/hook`],
  );
}, TEST_MS_MAX);
beforeEach(async () => {
  client = new ClientLog();
  receiver.received.length = 0;
  await cluster.sql('DELETE FROM outbox_job');
});
afterEach(async () => {
  receiver.answer = (response) => void response.writeHead(204).end();
  await client.close();
  await backoffice.kill();
  await redis?.stop();
  redis = null;
});
afterAll(async () => {
  receiver?.close();
  await cluster?.stop();
  await vendor?.close();
});

const start = async (env: Record<string, string> = {}): Promise<void> => {
  // One at a time, so that the others wait in the queue; soon handed over again, so that the test need not wait.
  backoffice = await createBackoffice(cluster.appUrl, { JOB_CONCURRENCY: '1', JOBS_PER_ORGANIZATION: '100', JOB_SILENCE_MS: '2000', ...env });
  await backoffice.start();
};

const startOnRedis = async (): Promise<RedisProcess> => {
  redis = await RedisProcess.start();
  await start({ REDIS_URL: redis.url });
  return redis;
};

/** Puts events whose first delivery the receiver holds, so that all others wait in the queue. */
const fillQueue = async (): Promise<() => void> => {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  receiver.answer = (response) => void held.then(() => response.writeHead(204).end());
  await cluster.sql("SELECT outbox_put($1, 'key.created', 'fault-' || gen_random_uuid(), $2) FROM generate_series(1, $3::int)", [
    cluster.tenant.organizationId,
    JSON.stringify({ key_id: cluster.tenant.keys[0]!.id, project_id: cluster.tenant.projectId, name: 'server', prefix: 'kt_live_', expires_at: null }),
    EVENTS,
  ]);
  await until('one is held and the others are in the queue', async () => {
    const [jobs] = await cluster.sql<{ count: bigint }>('SELECT count(*) AS count FROM outbox_job');
    return Number(jobs!.count) === EVENTS && receiver.received.length === 1;
  });
  return release;
};

/** Every job is done, and arrived under an id of its own. */
const expectAllDone = async (): Promise<void> => {
  await until('every job is done', async () => (await cluster.sql("SELECT FROM outbox_job WHERE status <> 'done'")).length === 0, 60_000);
  expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(EVENTS);
};

/** Customers are served throughout, and every check of their charges holds. */
const whileServing = async (fault: () => Promise<void>): Promise<void> => {
  const load = startLoad(client, { baseUrls: cluster.gatewayUrls, apiKey: cluster.apiKey, concurrency: 4, script: (request) => ({ outputTokens: 3 + (request % 5) }) });
  await fault();
  const completedBefore = client.completed().length;
  await until('requests go on', () => client.completed().length > completedBefore + 10);
  await load.stop();
  expect(client.entries.filter(({ completed }) => !completed)).toEqual([]);
  await cluster.expectSettled();
};

const readiness = async (): Promise<unknown> => (await (await fetch(`${backoffice.url}/readyz`)).json());

describe('the store of the queues', () => {
  it('in Postgres, emptied: jobs are rebuilt, money is untouched', async () => {
    await start();
    const release = await fillQueue();
    await whileServing(async () => {
      await cluster.sql('TRUNCATE bullmq.job CASCADE');
    });
    release();
    await expectAllDone();
  }, TEST_MS_MAX);

  needsRedis('in Redis, flushed: jobs are rebuilt, money is untouched', async () => {
    const store = await startOnRedis();
    const release = await fillQueue();
    await whileServing(() => store.flush());
    release();
    await expectAllDone();
  }, TEST_MS_MAX);

  needsRedis('in Redis, frozen: the backoffice says so, money is untouched, and jobs go on when it thaws', async () => {
    const store = await startOnRedis();
    const release = await fillQueue();
    await whileServing(async () => {
      store.freeze();
      await until('the backoffice says so', async () => JSON.stringify(await readiness()).includes('"queue":{"ok":false'), 20_000);
    });
    store.thaw();
    release();
    await expectAllDone();
    await until('it is ready again', () => backoffice.isReady());
  }, TEST_MS_MAX);

  needsRedis('in Redis, killed and started empty: jobs are rebuilt, money is untouched', async () => {
    const store = await startOnRedis();
    const release = await fillQueue();
    await whileServing(() => store.stop());
    await store.restart();
    release();
    await expectAllDone();
    await until('it is ready again', () => backoffice.isReady());
  }, TEST_MS_MAX);

  needsRedis('moved from Postgres to Redis with a full queue: nothing is left behind', async () => {
    await start();
    const release = await fillQueue();
    await backoffice.kill();
    await startOnRedis();
    // The dead process holds its job until its claim is over.
    await cluster.sql("UPDATE outbox_job SET next_at = kt_now(), claimed_until = kt_now() WHERE status = 'waiting'");
    release();
    await expectAllDone();
  }, TEST_MS_MAX);
});
