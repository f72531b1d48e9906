import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ClientLog, type ClientLogEntry } from '../support/client-log.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { itNeeds, libfaketimePath } from '../support/requirements.js';
import { startVendor, type Vendor } from '../support/vendor.js';
import type { VendorScript } from '../support/vendor-script.js';

/** No diagnostic field can fail a money row: not a gateway's clock, not a customer's labels, not a vendor's ids and reasons. */

const DAY_MS = 86_400_000;
const INT32_MAX = 2 ** 31 - 1;

let vendor: Vendor;
let client: ClientLog;

beforeAll(async () => {
  vendor = await startVendor();
});
beforeEach(() => {
  client = new ClientLog();
});
afterAll(async () => {
  await vendor?.close();
});

const shifted = (offset: string): Record<string, string> => ({ LD_PRELOAD: libfaketimePath(), FAKETIME: offset, FAKETIME_DONT_FAKE_MONOTONIC: '1' });

interface Stored {
  off: number;
  charge: string;
  partition: string;
  month: string;
  apart: number;
}

const storedOf = async (cluster: Cluster, entry: ClientLogEntry): Promise<Stored> => {
  const rows = await cluster.sql<Stored>(
    `SELECT clock_offset_ms AS off, trim_scale(charge)::text AS charge, tableoid::regclass::text AS partition, 'usage_' || to_char(settled_at AT TIME ZONE 'UTC', 'YYYY_MM') AS month,
       abs(extract(epoch FROM settled_at - admitted_at))::float8 AS apart FROM usage WHERE id = $1`,
    [entry.requestId],
  );
  expect(rows).toHaveLength(1);
  return rows[0]!;
};

const clocks: [name: string, offset: string, offsetMs: number][] = [
  ['26 days fast', '+26d', 26 * DAY_MS],
  ['26 days slow', '-26d', -26 * DAY_MS],
  ['40 years fast', '+40y', Infinity],
  ['50 years slow', '-50y', -Infinity],
];

describe('a gateway whose clock is far off', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    if (libfaketimePath() === '') return;
    cluster = await startCluster({ gateways: clocks.length, gatewayEnv: clocks.map(([, offset]) => shifted(offset)), models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }], grants: ['100'] });
  });
  afterAll(() => cluster?.stop());

  it.each(clocks.map(([name, , offsetMs], index) => ({ name, offsetMs, index })))('($name) is paid for every answer, and says that it is off', async ({ offsetMs, index }) => {
    if (libfaketimePath() === '') return;
    for (const stream of [false, true]) {
      const entry = await client.chat({ baseUrl: cluster.gatewayUrls[index]!, apiKey: cluster.apiKey, stream, script: { outputTokens: 20 } });
      expect(entry).toMatchObject({ status: 200, completed: true });
      const stored = await storedOf(cluster, entry);
      expect(Number(stored.charge)).toBeGreaterThan(0);
      expect(stored.apart).toBeLessThan(60);
      // Its id is of database time: usage of a wrong month may belong to a range that has left the database.
      expect(stored.partition).toBe(stored.month);
      expect(Math.abs(stored.off - Math.max(-INT32_MAX - 1, Math.min(INT32_MAX, offsetMs)))).toBeLessThan(60_000);
    }
    expect(await cluster.gateways[index]!.isReady()).toBe(true);
  });

  itNeeds('linux', 'libfaketime')('leaves nothing in quarantine, and every invariant holds', () => cluster.expectSettled());
});

describe('what customers and vendors write beside an answer', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster({ models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }], grants: ['100'] });
    await cluster.sql("INSERT INTO usage_limit VALUES ($1, uuidv7(), 'end_user', $1, 'requests', 'count', 'day', 0, 1000, 'hard')", [cluster.tenant.organizationId]);
  });
  afterAll(() => cluster?.stop());

  const usage = { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 };
  const json = (answer: object): VendorScript => ({
    raw: { headers: { 'content-type': 'application/json' }, parts: [JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion', created: 1, model: 'mock', usage, choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'well' } }], ...answer })] },
  });
  const stream = (id: unknown, finish: unknown): VendorScript => ({
    raw: { parts: [{ delta: { role: 'assistant', content: 'well' }, finish_reason: null }, { delta: {}, finish_reason: finish }].map((choice) => `data: ${JSON.stringify({ id, object: 'chat.completion.chunk', created: 1, model: 'mock', choices: [{ index: 0, ...choice }], usage })}\n\n`).concat('data: [DONE]\n\n') },
  });

  it.each<[string, { stream?: boolean; body?: Record<string, unknown>; script?: VendorScript }]>([
    ['labels as long and odd as they may be', { body: { user: '\u0001\\u0000'.repeat(70), metadata: Object.fromEntries(Array.from({ length: 16 }, (__, index) => [`${index}${'\u0001'.repeat(60)}`, '漢'.repeat(512)])) } }],
    ['an id with NUL', { script: json({ id: 'a\0b' }) }],
    ['an id of half a character', { script: json({ id: `${'x'.repeat(127)}😀` }) }],
    ['an id that is endless', { script: json({ id: 'x'.repeat(200_000) }) }],
    ['an id with NUL, in a stream', { script: stream('a\0b', 'stop'), stream: true }],
  ])('(%s) fails no settlement', async (_, options) => {
    const entry = await client.chat({ baseUrl: cluster.gatewayUrls[0]!, apiKey: cluster.apiKey, ...options });
    expect(entry).toMatchObject({ status: 200, completed: true });
    expect(Number((await storedOf(cluster, entry)).charge)).toBeGreaterThan(0);
  });

  it('leaves nothing in quarantine, and every invariant holds', () => cluster.expectSettled());
});
