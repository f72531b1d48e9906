import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parseMoney } from '@kilotoken/money';
import OpenAI from 'openai';
import { ClientLog, type ClientLogEntry } from '../support/client-log.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { defaultSale } from '../support/cluster-seed.js';
import { expectLogsAgree } from '../support/invariants-logs.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';
import type { VendorScript } from '../support/vendor-script.js';

/** What vendors do to streams, and clients that leave: who gets what, and who pays for it. */

let vendor: Vendor;
let cluster: Cluster;
let client: ClientLog;

beforeAll(async () => {
  vendor = await startVendor();
  cluster = await startCluster({
    models: [
      { model: 'mock', maxOutputTokens: 400, lanes: [{ baseUrl: vendor.baseUrl }] },
      // For vendors that fall silent: no other answer ends because a machine stood still for a second.
      { model: 'brief', lanes: [{ baseUrl: vendor.baseUrl, timeouts: { firstByteMs: 1_500, idleMs: 3_000 } }] },
    ],
    grants: ['100'],
    env: { ATTEMPTS_MAX: '1' },
  });
  client = new ClientLog();
});

afterAll(async () => {
  await client?.close();
  await cluster?.stop();
  await vendor?.close();
});

interface Usage {
  outcome: string;
  status: number;
  estimated: boolean;
  counts: Record<string, number>;
  charge: string;
  hold: string;
  rated: string;
  error_code: string | null;
}

const stream = (script: VendorScript, more: object = {}): Promise<ClientLogEntry> =>
  client.chat({ baseUrl: cluster.gatewayUrls[0]!, apiKey: cluster.apiKey, stream: true, script, ...more });
const json = (script: VendorScript, more: object = {}): Promise<ClientLogEntry> =>
  client.chat({ baseUrl: cluster.gatewayUrls[0]!, apiKey: cluster.apiKey, script, ...more });

/** The rows of a request, once they are there: an interrupted request settles after its client has left. */
const usageOf = ({ requestId }: ClientLogEntry): Promise<Usage> =>
  until(
    `request ${requestId} is settled`,
    async () =>
      (
        await cluster.sql<Usage>(
          'SELECT outcome, status, estimated, counts, trim_scale(charge)::text AS charge, trim_scale(hold)::text AS hold, trim_scale(rated)::text AS rated, error_code FROM usage WHERE id = $1 ORDER BY attempt DESC',
          [requestId],
        )
      )[0],
  );
const promptOf = (entry: ClientLogEntry): number => vendor.log().find(({ label }) => label === entry.label)!.promptTokens;

describe('usage that a vendor sends', () => {
  it.each<VendorScript>([{ usage: 'extra_chunk' }, { usage: 'in_last_chunk' }, { usage: 'every_chunk' }, { usage: 'twice' }, { finishReasonTwice: true }, { splitEveryByte: true }])(
    'as %j is taken once and billed exactly',
    async (script) => {
      const entry = await stream({ ...script, outputTokens: 6 });
      expect(entry).toMatchObject({ completed: true, chunks: 6, errorCode: null, usage: { completion_tokens: 6 }, cost: defaultSale(promptOf(entry), 6) });
      expect(await usageOf(entry)).toMatchObject({ outcome: 'completed', estimated: false, charge: entry.cost });
    },
  );

  it.each(['omit', 'null'] as const)('not at all (%s) is counted by the tokenizer and marked as estimated, in streams and in JSON', async (usage) => {
    for (const entry of [await stream({ usage, outputTokens: 8 }), await json({ usage, outputTokens: 8 })]) {
      expect(entry).toMatchObject({ completed: true, usage: { completion_tokens: 8 } });
      expect(await usageOf(entry)).toMatchObject({ outcome: 'completed', estimated: true, counts: { output: 8 }, charge: entry.cost });
      expect(parseMoney(entry.cost!)).toBeGreaterThan(0n);
    }
  });

  it('as zero is zero, not missing', async () => {
    for (const entry of [await stream({ usage: 'zero' }), await json({ usage: 'zero' })]) {
      expect(entry).toMatchObject({ completed: true, cost: '0' });
      expect(await usageOf(entry)).toMatchObject({ outcome: 'completed', estimated: false, charge: '0' });
    }
  });

  it('inflated costs the customer at most the hold; the rest is our loss', async () => {
    for (const entry of [await stream({ usage: 'inflated', outputTokens: 50 }, { body: { max_tokens: 100 } }), await json({ usage: 'inflated', outputTokens: 50 }, { body: { max_tokens: 100 } })]) {
      const usage = await usageOf(entry);
      expect(usage.charge).toBe(usage.hold);
      expect(parseMoney(usage.rated)).toBeGreaterThan(parseMoney(usage.hold));
      expect(entry.cost).toBe(usage.charge);
    }
  });

  it('with more cached tokens than prompt is never negative', async () => {
    for (const entry of [await stream({ usage: 'cached_above_prompt' }), await json({ usage: 'cached_above_prompt' })]) {
      const { counts } = await usageOf(entry);
      expect(Object.values(counts).every((count) => Number.isSafeInteger(count) && count >= 0)).toBe(true);
    }
  });

  it('as digits in a text is understood', async () => {
    for (const entry of [await stream({ usage: 'text', outputTokens: 3 }), await json({ usage: 'text', outputTokens: 3 })]) {
      expect(entry).toMatchObject({ completed: true, usage: { completion_tokens: 3 }, cost: defaultSale(promptOf(entry), 3) });
      expect(await usageOf(entry)).toMatchObject({ outcome: 'completed', estimated: false, charge: entry.cost });
    }
  });

  it.each(['negative', 'fraction', 'huge'] as const)('as %s is kept in quarantine, and what it does not say is counted by the tokenizer', async (usage) => {
    for (const entry of [await stream({ usage, outputTokens: 3 }), await json({ usage, outputTokens: 3 })]) {
      expect(entry).toMatchObject({ completed: true, usage: { completion_tokens: 3 } });
      expect(await usageOf(entry)).toMatchObject({ outcome: 'completed', estimated: true, counts: { output: 3 }, charge: entry.cost });
      await until('it is in quarantine', async () => (await cluster.sql('SELECT 1 FROM usage_quarantine WHERE id = $1', [entry.requestId])).length === 1);
    }
  });
});

describe('a vendor that fails within its stream', () => {
  it.each<[string, VendorScript, string]>([
    ['resets the connection', { dieAfterChunks: 3 }, 'upstream_error'],
    ['sends an error', { errorAfterChunks: 3 }, 'upstream_error'],
    ['falls silent', { hangAfterChunks: 3 }, 'upstream_timeout'],
  ])('%s: the stream ends with an error, and the prompt and what was served are billed', async (_, script, code) => {
    const entry = await stream({ ...script, outputTokens: 9 }, script.hangAfterChunks ? { model: 'brief' } : {});
    expect(entry).toMatchObject({ completed: false, errorCode: code, chunks: 3, finishReasons: [] });
    const usage = await usageOf(entry);
    expect(usage).toMatchObject({ outcome: 'interrupted', estimated: true, error_code: code });
    expect(usage.counts['output']).toBe(3);
    expect(usage.counts['input']).toBeGreaterThan(0);
  });

  it.each<[string, VendorScript, number, string]>([
    ['dies before its first token', { dieAfterChunks: 0 }, 502, 'upstream_error'],
    ['ends before its first token', { endAfterChunks: 0 }, 502, 'upstream_error'],
    ['never answers', { hangBeforeHeaders: true }, 504, 'upstream_timeout'],
    ['sends garbage', { garbage: true }, 502, 'upstream_error'],
    ['answers 500', { status: 500 }, 502, 'upstream_error'],
    ['answers 503', { status: 503 }, 503, 'lane_unavailable'],
    ['answers 429', { status: 429, retryAfter: '7' }, 429, 'queue_full'],
    ['finds the prompt too long', { status: 400, errorCode: 'context_length_exceeded' }, 400, 'context_length_exceeded'],
    ['answers a page of HTML', { contentType: 'text/html', garbage: true }, 502, 'upstream_error'],
  ])('%s: nothing is charged', async (_, script, status, code) => {
    const entry = await stream(script, script.hangBeforeHeaders ? { model: 'brief' } : {});
    expect(entry).toMatchObject({ completed: false, errorCode: code });
    expect(entry.status).toBe(status);
    expect(await usageOf(entry)).toMatchObject({ outcome: 'upstream_failed', charge: '0', counts: {} });
  });

  it('ends its body without finish_reason: the answer is complete, with stop', async () => {
    const entry = await stream({ endAfterChunks: 3, outputTokens: 9 });
    expect(await usageOf(entry)).toMatchObject({ outcome: 'completed', estimated: true, counts: { output: 3 } });
    expect(entry).toMatchObject({ completed: true, chunks: 3, finishReasons: ['stop'] });
  });

  it('ends without [DONE] after its finish_reason and usage: the answer is complete all the same', async () => {
    expect(await stream({ noDone: true, outputTokens: 4 })).toMatchObject({ completed: true, usage: { completion_tokens: 4 } });
  });
});

describe('a client that leaves', () => {
  it('in the middle of a stream pays for the prompt and at most what was generated, and the vendor is told to stop', async () => {
    const entry = await stream({ outputTokens: 300, chunkDelayMs: 100 }, { abortAfterChunks: 5 });
    expect(entry).toMatchObject({ aborted: true, completed: false, chunks: 5 });
    const usage = await usageOf(entry);
    const served = vendor.log().find(({ label }) => label === entry.label)!;
    expect(usage).toMatchObject({ outcome: 'client_closed', estimated: true });
    expect(usage.counts['output']).toBeGreaterThanOrEqual(5);
    expect(usage.counts['output']).toBeLessThanOrEqual(served.tokens);
    expect(usage.counts['input']).toBeGreaterThan(0);
    await until('the vendor was left', () => served.abortedByClient);
    expect(served.tokens).toBeLessThan(150);
  });

  it('from a JSON request is billed as if it had stayed', async () => {
    const leaving = new AbortController();
    const running = json({ outputTokens: 5, waitAfterChunks: 0, label: 'left-json' }, { signal: leaving.signal });
    await until('the vendor has it', () => vendor.waiting() === 1);
    leaving.abort();
    expect(await running).toMatchObject({ completed: false, aborted: true });
    vendor.letGo();
    const rows = await until('it is settled', async () => {
      const found = await cluster.sql<Usage>("SELECT outcome, counts, charge > 0 AS charged FROM usage WHERE upstream_id = $1", [vendor.log().find(({ label }) => label === 'left-json')!.id]);
      return found.length > 0 && found;
    });
    expect(rows).toMatchObject([{ counts: { output: 5 }, charged: true }]);
  });

  it('by the SDK’s abort is the same', async () => {
    const openai = new OpenAI({ baseURL: cluster.gatewayUrls[0]!, apiKey: cluster.apiKey, maxRetries: 0 });
    const running = await openai.chat.completions.create({ model: 'mock', stream: true, messages: [{ role: 'user', content: '{"vendor": {"outputTokens": 300, "chunkDelayMs": 100, "label": "sdk-abort"}}' }] });
    let seen = 0;
    for await (const chunk of running) if (chunk.choices[0]?.delta.content && ++seen === 3) running.controller.abort();
    const { id } = vendor.log().find(({ label }) => label === 'sdk-abort')!;
    const [row] = await until('it is settled', async () => {
      const rows = await cluster.sql<Usage>('SELECT outcome, counts FROM usage WHERE upstream_id = $1', [id]);
      return rows.length > 0 && rows;
    });
    expect(row).toMatchObject({ outcome: 'client_closed', counts: { output: expect.any(Number) } });
  });
});

describe('many at once', () => {
  it('50 streams through one gateway are all whole and billed exactly', async () => {
    const entries = await Promise.all(Array.from({ length: 50 }, (_, index) => stream({ outputTokens: 20 + index, chunkDelayMs: 2 })));
    expect(entries.map(({ chunks }) => chunks)).toEqual(entries.map((_, index) => 20 + index));
    for (const entry of entries) expect(entry).toMatchObject({ completed: true, cost: defaultSale(promptOf(entry), entry.chunks) });
  });
});

describe('behind it all', () => {
  it('client log, vendor log and usage rows agree, and every invariant holds', async () => {
    expect(vendor.violations()).toEqual([]);
    await cluster.expectSettled({ quarantineExpected: true });
    await expectLogsAgree(cluster.ownerUrl, { client: client.entries, vendor: vendor.log() });
  });
});
