import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { ClientLog } from '../support/client-log.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { expectLogsAgree } from '../support/invariants-logs.js';
import { createPrivatePostgres, type PrivatePostgres } from '../support/private-postgres.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/** Which gateway is alive is decided by its heartbeat; who may move money is decided by its fence row. */

/** More than a machine of tests stands still. */
const SESSION_TTL_MS = 4_000;

let vendor: Vendor;
let postgres: PrivatePostgres;
let cluster: Cluster;
let client: ClientLog;

beforeAll(async () => {
  vendor = await startVendor();
  // Every flush of the log waits 50 ms, as on a slow disk.
  postgres = await createPrivatePostgres({ settings: { commit_delay: 50_000, commit_siblings: 0 } });
  cluster = await startCluster({
    postgres,
    gateways: 2,
    proxied: true,
    models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }],
    grants: ['100'],
    env: { SESSION_TTL_MS: String(SESSION_TTL_MS), CHECKPOINT_MS: '300' },
  });
});
beforeEach(() => {
  client = new ClientLog();
});
afterEach(() => client.close());
afterAll(async () => {
  await cluster?.stop();
  await postgres?.remove();
  await vendor?.close();
});

const sessionOf = async (pid: number): Promise<string> => (await cluster.sql<{ id: string }>('SELECT id FROM session WHERE pid = $1 AND reaped_at IS NULL', [pid]))[0]!.id;

describe('a gateway that was frozen beyond its session', () => {
  it('settles nothing and ends no stream with success when it goes on', async () => {
    const [zombie] = cluster.gateways;
    const session = await sessionOf(zombie!.pid);
    const ask = (script: object, stream: boolean) => client.chat({ baseUrl: cluster.gatewayUrls[0]!, apiKey: cluster.apiKey, stream, script });
    // One that is over for the vendor while the gateway is frozen, one that goes on after it, one that waits for JSON.
    const running = [
      ask({ outputTokens: 60, waitAfterChunks: 20, label: 'short' }, true),
      ask({ outputTokens: 1_000, chunkDelayMs: 60, label: 'long' }, true),
      ask({ outputTokens: 5, waitAfterChunks: 0, label: 'json' }, false),
    ];
    await until('all are open', async () => (await cluster.sql('SELECT 1 FROM open_request WHERE session_id = $1', [session])).length === running.length);
    zombie!.signal('SIGSTOP');
    vendor.letGo();
    await until('two are over for the vendor', () => vendor.log().filter(({ complete }) => complete).length === 2);
    await cluster.untilReaped(zombie!.pid);
    const billed = await cluster.sql('SELECT id, attempt, charge, counts FROM usage WHERE session_id = $1 ORDER BY id', [session]);
    // What had left before it was frozen has long arrived. Nothing of what the vendor said since may follow.
    const delivered = client.entries.map(({ chunks }) => chunks);
    zombie!.signal('SIGCONT');

    const entries = await Promise.all(running);
    expect(client.entries.map(({ chunks }) => chunks)).toEqual(delivered);
    for (const entry of entries) expect(entry).toMatchObject({ completed: false, aborted: false });
    expect(entries.flatMap(({ finishReasons }) => finishReasons)).toEqual([]);
    expect(await cluster.sql('SELECT id, attempt, charge, counts FROM usage WHERE session_id = $1 ORDER BY id', [session])).toEqual(billed);
    expect(billed.length).toBeGreaterThanOrEqual(2);
    const after = await client.chat({ baseUrl: cluster.gatewayUrls[0]!, apiKey: cluster.apiKey });
    // It refuses, or it has ended: a zombie admits nobody.
    expect(after.completed).toBe(false);

    await zombie!.restart();
    expect(await client.chat({ baseUrl: cluster.gatewayUrls[0]!, apiKey: cluster.apiKey })).toMatchObject({ completed: true });
    await cluster.expectSettled();
    await expectLogsAgree(cluster.ownerUrl, { client: client.entries, vendor: vendor.log() }, { vendorOnlyMax: 1 });
  });
});

describe('a gateway whose heartbeats and polls are lost', () => {
  it('is fenced off although it lives and its money’s connection works', async () => {
    const [lost] = cluster.gateways;
    const session = await sessionOf(lost!.pid);
    const [proxy] = cluster.proxies;
    const ask = (script: object, stream: boolean) => client.chat({ baseUrl: cluster.gatewayUrls[0]!, apiKey: cluster.apiKey, stream, script });
    // Nothing tells this gateway that it was reaped but the fence itself.
    for (const statement of ['session_confirm', 'gateway_poll']) {
      void proxy!.cut({ direction: 'toServer', pattern: Buffer.from(`\0${statement}\0`), trigger: 'swallow', how: 'silence', times: Infinity });
    }
    const running = [ask({ outputTokens: 5, waitAfterChunks: 0 }, false), ask({ outputTokens: 60, waitAfterChunks: 30 }, true), ask({ outputTokens: 5, waitAfterChunks: 0 }, true)];
    await until('the vendor has them', () => vendor.waiting() === running.length);
    await cluster.untilReaped(lost!.pid);
    vendor.letGo();
    const entries = await Promise.all(running);
    for (const entry of entries) expect(entry).toMatchObject({ completed: false, aborted: false, finishReasons: [] });
    // The stream that had 30 chunks has them still: what the vendor said after the fence never left.
    expect(entries.map(({ chunks }) => chunks)).toEqual([0, 30, 0]);
    expect(await cluster.sql('SELECT 1 FROM usage u JOIN session s ON s.id = u.session_id WHERE s.id = $1 AND u.settled_at > s.reaped_at', [session])).toEqual([]);
    // It has seen the fence and ends itself, so that whoever supervises starts a new one.
    expect(await lost!.untilExit()).toMatchObject({ signal: null });
    proxy!.heal();
    await lost!.start();
    await cluster.expectSettled();
    await expectLogsAgree(cluster.ownerUrl, { client: client.entries, vendor: vendor.log() }, { vendorOnlyMax: 1 });
  });
});

describe('a healthy gateway', () => {
  it('keeps a stream three times as long as a session may be silent, beside 16 overlapping money transactions at 50 ms a flush', async () => {
    const { pid } = cluster.gateways[1]!;
    const session = await sessionOf(pid);
    const transactions = await startMoneyTransactions(session, 16);
    const outputTokens = 100;
    const entry = await client.chat({
      baseUrl: cluster.gatewayUrls[1]!,
      apiKey: cluster.apiKey,
      stream: true,
      script: { outputTokens, chunkDelayMs: (3 * SESSION_TTL_MS) / outputTokens },
    });
    const executed = await transactions.stop();
    expect(entry).toMatchObject({ completed: true, chunks: outputTokens });
    expect(entry.endedAtMs - entry.startedAtMs).toBeGreaterThan(3 * SESSION_TTL_MS * 0.95);
    expect(executed).toBeGreaterThan(16 * 10);
    expect(await sessionOf(pid)).toBe(session);
    await cluster.expectSettled();
  });
});

/** What 16 gateways would do at once to one session's row: take its fence and commit, without a pause. */
async function startMoneyTransactions(session: string, connections: number): Promise<{ stop(): Promise<number> }> {
  let stopping = false;
  let executed = 0;
  await cluster.sql('CREATE TABLE IF NOT EXISTS written (at timestamptz)');
  const work = async (): Promise<void> => {
    const connection = new pg.Client({ connectionString: cluster.ownerUrl });
    await connection.connect();
    while (!stopping) {
      await connection.query('BEGIN');
      await connection.query('SELECT session_fence($1)', [session]);
      await connection.query('INSERT INTO written VALUES (now())');
      await connection.query('COMMIT');
      executed += 1;
    }
    await connection.end();
  };
  const workers = Array.from({ length: connections }, () => work());
  await until('they overlap', () => executed > connections);
  return {
    stop: async () => {
      stopping = true;
      await Promise.all(workers);
      return executed;
    },
  };
}
