import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { ClientLog, type ClientLogEntry } from '../support/client-log.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';
import type { VendorScript } from '../support/vendor-script.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/** The wire to a vendor breaks at any byte, drips, falls silent or lies. */

/** The silence that a lane of the model `brief` may keep. */
const BRIEF_MS = 3_000;

let vendor: Vendor;
let cluster: Cluster;
let proxy: TcpProxy;
let client: ClientLog;

beforeAll(async () => {
  vendor = await startVendor();
  proxy = await startTcpProxy({ host: '127.0.0.1', port: vendor.port });
  const baseUrl = proxy.through(vendor.baseUrl);
  cluster = await startCluster({
    models: [
      { model: 'mock', lanes: [{ baseUrl }] },
      // For wires that are silent or drip; no other answer ends because a machine stood still for a while.
      { model: 'brief', lanes: [{ baseUrl, timeouts: { firstByteMs: BRIEF_MS, idleMs: BRIEF_MS } }] },
    ],
    grants: ['100'],
    env: { ATTEMPTS_MAX: '1' },
  });
  client = new ClientLog();
});
afterEach(() => proxy.heal());
afterAll(async () => {
  await client?.close();
  await cluster?.stop();
  await proxy?.close();
  await vendor?.close();
});

const ask = (stream: boolean, script: VendorScript, model = 'mock'): Promise<ClientLogEntry> =>
  client.chat({ baseUrl: cluster.gatewayUrls[0]!, apiKey: cluster.apiKey, model, stream, script });
const rowOf = ({ requestId }: ClientLogEntry) =>
  until(`request ${requestId} is settled`, async () => (await cluster.sql<{ outcome: string; counts: Record<string, number>; charge: string }>('SELECT outcome, counts, charge FROM usage WHERE id = $1', [requestId]))[0]);

describe('a wire to a vendor', () => {
  it.each([1, 7, 100])('that delivers %d bytes at a time changes nothing', async (splitBytes) => {
    proxy.setFaults({ splitBytes }, 'toClient');
    expect(await ask(true, { outputTokens: 8 })).toMatchObject({ completed: true, chunks: 8, usage: { completion_tokens: 8 } });
    expect(await ask(false, { outputTokens: 8 })).toMatchObject({ completed: true, usage: { completion_tokens: 8 } });
  });

  it('that drips is waited for as long as something comes', async () => {
    proxy.setFaults({ bytesPerSecond: 500 }, 'toClient');
    const entry = await ask(true, { outputTokens: 8 }, 'brief');
    expect(entry).toMatchObject({ completed: true, chunks: 8 });
    expect(entry.endedAtMs - entry.startedAtMs).toBeGreaterThan(BRIEF_MS);
  });

  it.each([0, 1, 150, 600, 1_500])('that is reset after %d bytes of a stream ends it with an error, and bills no more than came', async (afterBytes) => {
    proxy.resetAll();
    const struck = proxy.cut({ direction: 'toClient', afterBytes, trigger: 'swallow', how: 'reset' });
    const entry = await ask(true, { outputTokens: 20, chunkDelayMs: 5 });
    await struck;
    expect(entry).toMatchObject({ completed: false, errorCode: 'upstream_error', finishReasons: [] });
    const { counts } = await rowOf(entry);
    expect(counts['output'] ?? 0).toBeLessThanOrEqual(entry.chunks);
  });

  it('that falls silent within a stream, half open, ends it in time', async () => {
    proxy.resetAll();
    const struck = proxy.cut({ direction: 'toClient', pattern: wordOf(3), trigger: 'swallow', how: 'silence' });
    const entry = await ask(true, { outputTokens: 20, chunkDelayMs: 20 }, 'brief');
    await struck;
    expect(entry).toMatchObject({ completed: false, errorCode: 'upstream_timeout' });
    await rowOf(entry);
  });

  it('that is half closed within a stream ends it with an error', async () => {
    proxy.resetAll();
    const struck = proxy.cut({ direction: 'toClient', pattern: wordOf(3), trigger: 'swallow', how: 'half_close' });
    const entry = await ask(true, { outputTokens: 20, chunkDelayMs: 20 });
    await struck;
    expect(entry).toMatchObject({ completed: false, errorCode: 'upstream_error' });
    await rowOf(entry);
  });

  it('that flips a bit makes an error or a harmless change, and never a count that is no number', async () => {
    for (let place = 180; place < 3_600; place += 97) {
      proxy.resetAll();
      proxy.setFaults({ corruptByteAt: place }, 'toClient');
      // A length that the flip made larger is waited for.
      const entry = await ask(true, { outputTokens: 14 }, 'brief');
      if (entry.status !== 200 || !entry.completed) expect(entry.errorCode ?? entry.failure).not.toBeNull();
    }
    proxy.heal();
    expect(await cluster.sql("SELECT id FROM usage WHERE charge <> charge OR rated <> rated OR counts::text ~ 'NaN|null'")).toEqual([]);
  });

  it('that refuses connections is a clear error, and works again as soon as it does', async () => {
    proxy.refuse(true);
    proxy.resetAll();
    expect(await ask(false, {})).toMatchObject({ status: 502, errorCode: 'upstream_error' });
    proxy.refuse(false);
    expect(await ask(false, {})).toMatchObject({ completed: true });
  });
});

/** The text of a token of the stand-in, as it stands in its chunk. */
const wordOf = (index: number): string => [' time', ' year', ' people', ' way'][index]!;

describe('behind it all', () => {
  it('every invariant holds, and what agreed is what was whole', async () => {
    expect(vendor.violations()).toEqual([]);
    await cluster.expectSettled({ quarantineExpected: true });
    const rows = await cluster.sql<{ count: string }>("SELECT count(*) AS count FROM usage WHERE outcome = 'completed'");
    expect(Number(rows[0]!.count)).toBeGreaterThanOrEqual(client.completed().length);
  });
});
