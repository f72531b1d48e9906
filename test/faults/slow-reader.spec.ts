import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { request as send, type IncomingMessage } from 'node:http';
import { findFreePort } from '@kilotoken/tools/free-port';
import { ClientLog } from '../support/client-log.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { itNeeds } from '../support/requirements.js';
import { percentile } from '../support/rounds.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';
import type { RawAnswer } from '../support/vendor-raw.js';
import { instruct } from '../support/vendor-script.js';

/** Clients that read a byte a second from streams of tens of megabytes: they wait, and nobody else does. */

const READERS = 8;
/** A chunk is some 190 bytes on the wire, so each stream would be some 40 MB. */
const OUTPUT_TOKENS = 200_000;
/** The vendor is held back when it has served no more over so many looks. */
const STANDS_LOOKS = 10;
/** What kernels buffer is theirs; the gateway itself may keep little of each stream. */
const GROWTH_BYTES_MAX = 96 * 1024 * 1024;

/** What one key's answers may take while they wait for their readers. */
const ANSWERS_BYTES_MAX = 40 * 1024 * 1024;
const ANSWER_BYTES = 16 * 1024 * 1024;

let metricsPort: number;
let vendor: Vendor;
let cluster: Cluster;
let proxy: TcpProxy;

beforeAll(async () => {
  vendor = await startVendor();
  cluster = await startCluster({
    models: [{ model: 'mock', contextWindow: 1_000_000, maxOutputTokens: OUTPUT_TOKENS, lanes: [{ baseUrl: vendor.baseUrl }] }],
    grants: ['100'],
    env: { CLIENT_STALL_MS_MAX: '5000', BODY_BYTES_PER_KEY_MAX: String(ANSWERS_BYTES_MAX) },
    gatewayEnv: [{ GATEWAY_METRICS_PORT: String((metricsPort = await findFreePort())) }],
  });
  const { hostname, port } = new URL(cluster.gatewayUrls[0]!);
  proxy = await startTcpProxy({ host: hostname, port: Number(port) });
});
afterAll(async () => {
  await proxy?.close();
  await cluster?.stop();
  await vendor?.close();
});

const residentBytes = (): number => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${cluster.gateways[0]!.pid}/status`, 'utf8'))![1]) * 1024;

describe('readers of one byte a second', () => {
  itNeeds('linux')('bound the memory, hold the vendor back, are unnoticed by others and end when they stall', async () => {
    const client = new ClientLog();
    const latencyMs = async (): Promise<number> => {
      const { completed, startedAtMs, endedAtMs } = await client.chat({ baseUrl: cluster.gatewayUrls[0]!, apiKey: cluster.apiKey, stream: true });
      expect(completed).toBe(true);
      return endedAtMs - startedAtMs;
    };
    const alone: number[] = [];
    for (let index = 0; index < 20; index += 1) alone.push(await latencyMs());
    const before = residentBytes();
    proxy.setFaults({ bytesPerSecond: 1 }, 'toClient');
    const slow = new ClientLog('slow');
    const reading = Array.from({ length: READERS }, () =>
      slow.chat({ baseUrl: proxy.through(cluster.gatewayUrls[0]!), apiKey: cluster.apiKey, stream: true, script: { outputTokens: OUTPUT_TOKENS }, body: { max_tokens: OUTPUT_TOKENS } }),
    );
    const tokensServed = (): number[] => vendor.log().filter(({ label }) => label?.startsWith('slow')).map(({ tokens }) => tokens);
    let [last, same] = [-1, 0];
    await until('the vendor is held back', () => {
      const now = tokensServed().reduce((sum, tokens) => sum + tokens, 0);
      same = now === last ? same + 1 : 0;
      last = now;
      return same >= STANDS_LOOKS && tokensServed().length === READERS;
    });
    expect(Math.max(...tokensServed())).toBeLessThan(OUTPUT_TOKENS);
    const beside: number[] = [];
    let peak = 0;
    for (let index = 0; index < 30; index += 1) {
      beside.push(await latencyMs());
      peak = Math.max(peak, residentBytes());
    }
    expect(peak - before).toBeLessThan(GROWTH_BYTES_MAX);
    // Who had to wait for the slow ones would wait for seconds.
    expect(percentile(beside, 0.5)).toBeLessThan(500 + 5 * percentile(alone, 0.5));

    await until('all have been given up', async () => (await cluster.sql("SELECT 1 FROM usage WHERE outcome = 'client_closed'")).length === READERS, 60_000);
    proxy.resetAll();
    await Promise.all(reading);
    const rows = await cluster.sql<{ output: string; upstream_id: string }>("SELECT counts ->> 'output' AS output, upstream_id FROM usage WHERE outcome = 'client_closed'");
    for (const { output, upstream_id } of rows) expect(Number(output)).toBeLessThanOrEqual(vendor.log().find(({ id }) => id === upstream_id)!.tokens);
    await Promise.all([client.close(), slow.close()]);
    await cluster.expectSettled();
  }, 150_000);
});

/** Asks for a JSON answer of 16 MB and reads nothing of it. */
const askAndWait = (): Promise<IncomingMessage> => {
  const raw = {
    headers: { 'content-type': 'application/json' },
    parts: [
      '{"id":"a","choices":[{"index":0,"finish_reason":"stop","message":{"content":"',
      ...Array<object>(32).fill({ text: 'x', times: ANSWER_BYTES / 32 }),
      '"}}],"usage":{"prompt_tokens":3,"completion_tokens":4}}',
    ] as RawAnswer['parts'],
  };
  const body = JSON.stringify({ model: 'mock', messages: [{ role: 'user', content: instruct({ raw }) }] });
  return new Promise((resolve, reject) => {
    const request = send(`${cluster.gatewayUrls[0]!}/chat/completions`, { method: 'POST', agent: false, headers: { authorization: `Bearer ${cluster.apiKey}`, 'content-type': 'application/json' } }, resolve);
    request.on('error', reject).end(body);
  });
};

const metric = async (name: string): Promise<number> => {
  const page = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`, { headers: { authorization: `Bearer ${cluster.internalToken}` } })).text();
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(page)![1]);
};

describe('readers of large JSON answers that take nothing', () => {
  it('are refused beyond the bytes that their key may keep, are cut when they stall, and others are served', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, async () => {
      const answer = await askAndWait();
      answer.on('error', () => undefined);
      return answer;
    }));
    const statuses = answers.map(({ statusCode }) => statusCode);
    expect(new Set(statuses)).toEqual(new Set([200, 503]));
    expect(await metric('kilotoken_body_bytes_in_flight_max')).toBeLessThanOrEqual(ANSWERS_BYTES_MAX);
    const client = new ClientLog();
    expect(await client.chat({ baseUrl: cluster.gatewayUrls[0]!, apiKey: cluster.apiKey })).toMatchObject({ completed: true });
    await client.close();
    await until('all stalled readers are cut', async () => (await metric('kilotoken_body_bytes_in_flight')) === 0);
    for (const answer of answers) answer.destroy();
    await cluster.expectSettled();
  });
});
