import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ClientLog, type ClientLogEntry } from '../support/client-log.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { until } from '../support/until.js';
import { startVendorProcess, type VendorProcess } from '../support/vendor-process.js';
import type { VendorScript } from '../support/vendor-script.js';

/** A vendor whose process freezes, whose kernel goes on to accept; and one that is killed within its streams. */

/** More than a machine of tests stands still. */
const SILENCE_MS_MAX = 4_000;

let vendor: VendorProcess;
let cluster: Cluster;
let client: ClientLog;

beforeAll(async () => {
  vendor = await startVendorProcess();
  cluster = await startCluster({
    models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl, timeouts: { firstByteMs: SILENCE_MS_MAX, idleMs: SILENCE_MS_MAX, answerMs: SILENCE_MS_MAX } }] }],
    grants: ['1'],
    env: { ATTEMPTS_MAX: '2' },
  });
  client = new ClientLog();
});
afterAll(async () => {
  await client?.close();
  await cluster?.stop();
  await vendor?.close();
});

const ask = (stream: boolean, script: VendorScript = {}): Promise<ClientLogEntry> => client.chat({ baseUrl: cluster.gatewayUrls[0]!, apiKey: cluster.apiKey, stream, script });
const streams = (): Promise<ClientLogEntry>[] => Array.from({ length: 5 }, () => ask(true, { outputTokens: 5_000, chunkDelayMs: 20 }));
const untilAllRun = (): Promise<true> => until('all streams run', () => client.entries.slice(-5).every(({ chunks }) => chunks > 2));

describe('a vendor’s process', () => {
  it('that freezes ends streams and new requests in time, and serves again when it goes on', async () => {
    const running = streams();
    await untilAllRun();
    vendor.signal('SIGSTOP');
    const refused = await ask(false);
    expect(refused).toMatchObject({ status: 504, errorCode: 'upstream_timeout' });
    for (const entry of await Promise.all(running)) expect(entry).toMatchObject({ completed: false, errorCode: 'upstream_timeout', finishReasons: [] });
    vendor.signal('SIGCONT');
    expect(await ask(true)).toMatchObject({ completed: true });
    await until('the vendor has seen that it was left', () => vendor.log().filter(({ abortedByClient }) => abortedByClient).length >= 5);
    await cluster.expectSettled();
  });

  it('that is killed ends its streams with an error, each billed for what came', async () => {
    const running = streams();
    await untilAllRun();
    vendor.signal('SIGKILL');
    for (const entry of await Promise.all(running)) {
      expect(entry).toMatchObject({ completed: false, errorCode: 'upstream_error', finishReasons: [] });
      const row = await until('it is settled', async () => (await cluster.sql<{ outcome: string; output: string }>("SELECT outcome, counts ->> 'output' AS output FROM usage WHERE id = $1", [entry.requestId]))[0]);
      expect(row).toEqual({ outcome: 'interrupted', output: String(entry.chunks) });
    }
    expect(await ask(false)).toMatchObject({ status: 502, errorCode: 'upstream_error' });
    await cluster.expectSettled();
  });
});
