import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ClientLog, type ClientLogEntry } from '../support/client-log.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { expectLogsAgree } from '../support/invariants-logs.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/** A client whose connection breaks at some byte of the answer, the first and the last included. */

const OUTPUT_TOKENS = 12;

let vendor: Vendor;
let cluster: Cluster;
let proxy: TcpProxy;
let client: ClientLog;

beforeAll(async () => {
  vendor = await startVendor();
  cluster = await startCluster({ models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }], grants: ['100'] });
  const { hostname, port } = new URL(cluster.gatewayUrls[0]!);
  proxy = await startTcpProxy({ host: hostname, port: Number(port) });
  client = new ClientLog();
});
afterAll(async () => {
  await client?.close();
  await proxy?.close();
  await cluster?.stop();
  await vendor?.close();
});

/**
 * A place near the end of an answer has to be there in every answer, so all are equally long. A label is part of the prompt
 * and of the hold: all have one length. With these tokens an answer costs 0.0000141, so the balance in the header has seven
 * decimals after each of the first nine.
 */
const labelOf = (name: string): string => name.padEnd(24, '.');
const PROMPT_TOKENS = 46;

const ask = (stream: boolean, name: string): Promise<ClientLogEntry> =>
  client.chat({ baseUrl: proxy.through(cluster.gatewayUrls[0]!), apiKey: cluster.apiKey, stream, script: { outputTokens: OUTPUT_TOKENS, promptTokens: PROMPT_TOKENS, chunkDelayMs: 5, label: labelOf(name) } });

/** Bytes from the gateway to the client in a whole answer, head included. */
async function measure(stream: boolean): Promise<number> {
  const before = proxy.bytesPassed('toClient');
  const entry = await ask(stream, `whole-${stream}`);
  expect(entry.completed).toBe(true);
  return proxy.bytesPassed('toClient') - before;
}

describe.each([false, true])('an answer with stream = %s', (stream) => {
  it('that is cut at byte k is billed once: the prompt, and at most what was generated', async () => {
    const whole = await measure(stream);
    const places = [0, 1, Math.floor(whole * 0.2), Math.floor(whole * 0.5), Math.floor(whole * 0.8), whole - 8, whole - 1];
    for (const place of places) {
      const name = `cut-${stream}-${place}`;
      // A connection that is used again would have counted earlier answers.
      proxy.resetAll();
      const struck = proxy.cut({ direction: 'toClient', afterBytes: place, trigger: 'swallow', how: 'reset' });
      const entry = await ask(stream, name);
      await struck;
      expect([place, entry.completed]).toEqual([place, false]);
      const { id } = vendor.log().find((served) => served.label === labelOf(name))!;
      const rows = await until(`the answer cut at ${place} is settled`, async () => {
        const found = await cluster.sql<{ outcome: string; counts: Record<string, number>; charged: boolean }>('SELECT outcome, counts, charge > 0 AS charged FROM usage WHERE upstream_id = $1', [id]);
        return found.length > 0 && found;
      });
      expect(rows).toHaveLength(1);
      expect(rows[0]).toMatchObject({ charged: true, outcome: expect.stringMatching(/^(completed|client_closed)$/) });
      expect(rows[0]!.counts['output']).toBeLessThanOrEqual(OUTPUT_TOKENS);
      if (!stream) expect(rows[0]!.counts['output']).toBe(OUTPUT_TOKENS);
    }
  });

  it('after its last byte is complete for everybody', async () => {
    const entry = await ask(stream, `after-last-${stream}`);
    proxy.resetAll();
    expect(entry.completed).toBe(true);
  });
});

describe('behind it all', () => {
  it('three logs agree and every invariant holds', async () => {
    await cluster.expectSettled();
    await expectLogsAgree(cluster.ownerUrl, { client: client.entries, vendor: vendor.log() });
  });
});
