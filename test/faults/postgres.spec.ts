import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import { ClientLog, type ClientLogEntry } from '../support/client-log.js';
import { startLoad, type Load } from '../support/client-load.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { expectLogsAgree } from '../support/invariants-logs.js';
import { createPrivatePostgres, type PrivatePostgres } from '../support/private-postgres.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';
import type { VendorScript } from '../support/vendor-script.js';

/** Postgres goes away, comes back, forgets to answer: no completed answer is unbilled and none is billed twice. */

jest.setTimeout(120_000);

const CONCURRENCY = 10;
const MAX_CONNECTIONS = 60;
/** As `pg` binds the prepared statement: an unnamed portal, then the statement's name. */
const SETTLE = Buffer.from('\0settle\0');

let vendor: Vendor;
let postgres: PrivatePostgres;
let cluster: Cluster;
let client: ClientLog;
let load: Load | null = null;
let isUp = true;

beforeAll(async () => {
  vendor = await startVendor();
  postgres = await createPrivatePostgres({ settings: { max_connections: MAX_CONNECTIONS } });
  cluster = await startCluster({
    postgres,
    proxied: true,
    models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }],
    grants: ['100'],
    // As in production: that new requests are refused is a part of what is proven.
    env: { SESSION_TTL_MS: '10000', CHECKPOINT_MS: '300', SNAPSHOT_AGE_MS_MAX: '1000' },
  });
});
beforeEach(() => {
  client = new ClientLog();
});
afterEach(async () => {
  cluster.proxies[0]!.heal();
  if (!isUp) await startPostgres();
  await load?.stop();
  load = null;
  await client.close();
});
afterAll(async () => {
  await cluster?.stop();
  await postgres?.remove();
  await vendor?.close();
});

const stopPostgres = async (): Promise<void> => {
  isUp = false;
  await postgres.stop('immediate');
};
const startPostgres = async (): Promise<void> => {
  await postgres.start();
  isUp = true;
};
const mixed = (request: number): VendorScript => (request % 5 === 0 ? { outputTokens: 30, chunkDelayMs: 50 } : { outputTokens: 6, chunkDelayMs: 2 });
const begin = (): Load => (load = startLoad(client, { baseUrls: cluster.gatewayUrls, apiKey: cluster.apiKey, concurrency: CONCURRENCY, script: mixed }));
/** Those that run wait for their settlement, so it takes new ones to see a refusal. */
const untilRefused = (more = 1): Promise<ClientLogEntry> => {
  const before = client.entries.length;
  return until('new requests are refused', () => {
    void client.chat({ baseUrl: cluster.gatewayUrls[0]!, apiKey: cluster.apiKey });
    const refused = client.entries.slice(before).filter(({ status }) => status === 503);
    return refused.length >= more ? refused[0] : null;
  });
};
const untilAnswers = async (more: number): Promise<void> => {
  const before = client.completed().length;
  await until(`${more} more answers are complete`, () => client.completed().length >= before + more, 30_000);
};
/** No gateway died, so whatever a vendor served completely has its row. */
const expectAllWell = async (): Promise<void> => {
  await load?.stop();
  await cluster.expectSettled();
  await expectLogsAgree(cluster.ownerUrl, { client: client.entries, vendor: vendor.log() });
  expect(cluster.gateways[0]!.hasEnded()).toBe(false);
};

describe('Postgres', () => {
  it('that stops at once and starts again: new requests get 503 meanwhile, the running ones are billed', async () => {
    begin();
    await untilAnswers(20);
    await stopPostgres();
    expect(await untilRefused()).toMatchObject({ completed: false, errorCode: 'service_unavailable' });
    const answer = await fetch(`${cluster.gatewayUrls[0]}/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${cluster.apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'mock', messages: [{ role: 'user', content: 'x' }] }),
    });
    expect([answer.status, Number(answer.headers.get('retry-after')) > 0]).toEqual([503, true]);
    const startedAgain = client.completed().length;
    await startPostgres();
    await until('answers are complete again', () => client.completed().length > startedAgain + 20, 30_000);
    await expectAllWell();
  });

  it('that ends our connections in the middle of everything', async () => {
    begin();
    for (let round = 0; round < 4; round += 1) {
      await untilAnswers(15);
      const ended = await cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'gateway%'");
      expect(ended.length).toBeGreaterThan(0);
    }
    await untilAnswers(15);
    await expectAllWell();
  });

  it('whose answer to a settle is lost: the same batch is executed again and counts once', async () => {
    begin();
    await untilAnswers(10);
    await cluster.proxies[0]!.cut({ direction: 'toServer', pattern: SETTLE, trigger: 'deliver', how: 'reset', times: 3 });
    await untilAnswers(20);
    await expectAllWell();
    expect(cluster.gateways[0]!.events('settle.failed').length).toBeGreaterThanOrEqual(1);
  });

  it('that never gets a settle: nobody is told of success until it is there', async () => {
    begin();
    await untilAnswers(10);
    await cluster.proxies[0]!.cut({ direction: 'toServer', pattern: SETTLE, trigger: 'swallow', how: 'reset', times: 3 });
    await untilAnswers(20);
    await expectAllWell();
  });

  it('that cannot be reached for a while: the ends of answers wait', async () => {
    begin();
    await untilAnswers(10);
    const [proxy] = cluster.proxies;
    proxy!.setFaults({ paused: true });
    await untilRefused();
    // What had been committed before has arrived when another one was asked and answered.
    await untilRefused();
    const completed = client.completed().length;
    // Nothing can be committed, so nothing may complete while requests go on being refused.
    await untilRefused(50);
    expect(client.completed().length).toBe(completed);
    proxy!.heal();
    await untilAnswers(20);
    await expectAllWell();
  });

  it('whose wire is slow and in pieces', async () => {
    begin();
    cluster.proxies[0]!.setFaults({ delayMs: 20, splitBytes: 700 });
    await untilAnswers(20);
    cluster.proxies[0]!.heal();
    await expectAllWell();
  });

  it('that has no connection left: new requests get 503, and what runs is settled over a connection of its own', async () => {
    const stranger = { baseUrl: cluster.gatewayUrls[0]!, apiKey: cluster.apiKey };
    const running = client.chat({ ...stranger, stream: true, script: { outputTokens: 40, chunkDelayMs: 50 } });
    await until('the stream runs', () => client.entries.some(({ chunks }) => chunks > 3));
    const hogs = await takeAllConnections();
    try {
      // Leases, keys and polls must connect anew, and cannot; who is faster to a place that becomes free is left to chance.
      await until('only the settling connection is left', async () => {
        const { rowCount } = await hogs.owner.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'gateway%' AND application_name <> 'gateway settle'");
        await hogs.refill();
        return rowCount === 0;
      });
      expect(await until('a request is refused', async () => {
        const entry = await client.chat(stranger);
        return entry.status === 503 && entry;
      })).toMatchObject({ errorCode: 'service_unavailable' });
      expect(await running).toMatchObject({ completed: true, chunks: 40 });
    } finally {
      await hogs.release();
    }
    await until('requests are answered again', async () => (await client.chat(stranger)).completed, 20_000);
    await expectAllWell();
  });
});

/** Holds every connection that an application may have; Postgres keeps some for its superuser. */
async function takeAllConnections() {
  const owner = new pg.Client({ connectionString: cluster.ownerUrl });
  await owner.connect();
  const held: pg.Client[] = [];
  const refill = async (): Promise<void> => {
    for (;;) {
      const hog = new pg.Client({ connectionString: cluster.appUrl, application_name: 'hog' });
      hog.on('error', () => undefined);
      try {
        await hog.connect();
        held.push(hog);
      } catch (error) {
        // 53300 too_many_connections: that is what was wanted.
        if ((error as { code?: string }).code === '53300') return;
        throw error;
      }
    }
  };
  await refill();
  return { owner, refill, release: async () => void (await Promise.all([...held, owner].map((connection) => connection.end()))) };
}
