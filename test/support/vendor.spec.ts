import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import OpenAI from 'openai';
import { until } from './until.js';
import { instruct, usageShapes, type UsageShape, type VendorScript } from './vendor-script.js';
import { startVendor, type Vendor } from './vendor.js';

let vendor: Vendor;
let openai: OpenAI;
beforeAll(async () => {
  vendor = await startVendor({ key: 'vendor-key' });
  openai = new OpenAI({ baseURL: vendor.baseUrl, apiKey: 'vendor-key', maxRetries: 0 });
});
beforeEach(() => vendor.reset());
afterAll(() => vendor.close());

const ask = (script: VendorScript, more: object = {}) =>
  openai.chat.completions.create({ model: 'mock', messages: [{ role: 'user', content: instruct(script) }], ...more });

const stream = (script: VendorScript, more: object = {}) =>
  openai.chat.completions.create({ model: 'mock', messages: [{ role: 'user', content: instruct(script) }], stream: true, stream_options: { include_usage: true }, ...more });

async function collect(script: VendorScript, more: object = {}) {
  const chunks: OpenAI.ChatCompletionChunk[] = [];
  for await (const chunk of await stream(script, more)) chunks.push(chunk);
  return chunks;
}

describe('the stand-in of a vendor', () => {
  it('counts prompts by bytes and answers by chunks, in JSON and in streams alike', async () => {
    const script = { outputTokens: 7, label: 'count' };
    const promptTokens = Math.ceil(instruct(script).length / 4);
    const answer = await ask(script);
    expect(answer.usage).toMatchObject({ prompt_tokens: promptTokens, completion_tokens: 7 });
    const chunks = await collect(script);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: promptTokens, completion_tokens: 7 } });
    const text = chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('');
    expect(text).toBe(answer.choices[0]!.message.content);
    expect(countTokens(text)).toBe(7);
    expect(vendor.log()).toMatchObject([{ label: 'count', tokens: 7, complete: true }, { label: 'count', tokens: 7, complete: true }]);
  });

  it('lets an answer wait until its test lets it go on, before its headers or between chunks', async () => {
    const [json, streamed] = [ask({ outputTokens: 3, waitAfterChunks: 2 }), collect({ outputTokens: 3, waitAfterChunks: 2 })];
    await until('both wait', () => vendor.waiting() === 2);
    expect(vendor.log().map(({ tokens, complete }) => [tokens, complete]).sort()).toEqual([[0, false], [2, false]]);
    vendor.letGo();
    expect((await json).usage!.completion_tokens).toBe(3);
    expect((await streamed).at(-1)!.usage!.completion_tokens).toBe(3);
    expect(vendor.waiting()).toBe(0);
  });

  it('serves every choice of every prompt and lets max_tokens cut each', async () => {
    const answer = await ask({ outputTokens: 9 }, { n: 2, max_tokens: 4 });
    expect(answer.choices.map(({ finish_reason }) => finish_reason)).toEqual(['length', 'length']);
    expect(answer.usage!.completion_tokens).toBe(8);
    const legacy = await openai.completions.create({ model: 'mock', prompt: ['a', 'b'], max_tokens: 3 });
    expect(legacy.usage!.completion_tokens).toBe(6);
  });

  it.each<[UsageShape, unknown]>([
    ['zero', 0],
    ['negative', -3],
    ['fraction', 3.5],
    ['text', '3'],
    ['inflated', 3_000],
    ['huge', 2 ** 63],
  ])('falsifies usage as %s', async (usage, told) => {
    expect((await ask({ usage, outputTokens: 3 })).usage!.completion_tokens).toBe(told);
  });

  it('sends usage as often as the script says', async () => {
    const carrying = async (usage: UsageShape) => (await collect({ usage, outputTokens: 3 })).filter((chunk) => chunk.usage).length;
    const counts = Object.fromEntries(await Promise.all(usageShapes.map(async (shape) => [shape, await carrying(shape)] as const)));
    expect(counts).toMatchObject({ extra_chunk: 1, in_last_chunk: 1, omit: 0, null: 0, twice: 2 });
    expect(counts['every_chunk']).toBeGreaterThan(3);
  });

  it('sends raw bytes in any framing, with waits, and ends as it is told', async () => {
    const body = { model: 'mock', messages: [{ role: 'user', content: '' }] };
    const send = (raw: object) =>
      fetch(`${vendor.baseUrl}/chat/completions`, {
        method: 'POST',
        headers: { authorization: 'Bearer vendor-key', 'content-type': 'application/json' },
        body: JSON.stringify({ ...body, messages: [{ role: 'user', content: instruct({ raw } as VendorScript) }] }),
      });
    const parts = ['data: a', { waitMs: 1 }, { base64: Buffer.from('\n\n').toString('base64') }, { text: 'x', times: 3 }];
    for (const framing of ['chunked', 'length', 'close']) {
      const answer = await send({ framing, parts, headers: { 'content-type': 'text/odd' }, status: 201 });
      expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([201, 'text/odd', 'data: a\n\nxxx']);
      expect([answer.headers.get('transfer-encoding'), answer.headers.get('content-length')]).toEqual([framing === 'chunked' ? 'chunked' : null, framing === 'length' ? '12' : null]);
    }
    for (const end of ['reset', 'fin']) await expect((await send({ parts, end })).text()).rejects.toThrow();
    const silent = await send({ parts, end: 'silence' });
    const reader = silent.body!.getReader();
    expect((await reader.read()).value?.length).toBeGreaterThan(0);
    await reader.cancel();
  });

  it('logs what it had served when it died, when it hung and when the client left', async () => {
    await expect(collect({ outputTokens: 9, dieAfterChunks: 3, label: 'died' })).rejects.toThrow();
    const running = await stream({ outputTokens: 9, hangAfterChunks: 4, label: 'left' });
    let seen = 0;
    for await (const chunk of running) if (chunk.choices[0]?.delta.content && ++seen === 4) break;
    await until('the log has both ends', () => vendor.log().every(({ endedAtMs }) => endedAtMs !== null));
    expect(vendor.log()).toMatchObject([
      { label: 'died', tokens: 3, complete: false, died: true, abortedByClient: false },
      { label: 'left', tokens: 4, complete: false, died: false, abortedByClient: true },
    ]);
  });

  it('says the same whatever the bytes are split into', async () => {
    expect(await collect({ outputTokens: 2, splitEveryByte: true })).toHaveLength((await collect({ outputTokens: 2 })).length);
  });

  it('fails as often as it is told to, by model too', async () => {
    vendor.control({ models: { flaky: { status: 429, retryAfter: '1', failures: 1 } } });
    await expect(ask({}, { model: 'flaky' })).rejects.toBeInstanceOf(OpenAI.RateLimitError);
    await expect(ask({}, { model: 'flaky' })).resolves.toBeDefined();
    await expect(ask({}, { model: 'other' })).resolves.toBeDefined();
    expect(vendor.violations()).toEqual([]);
  });

  it('refuses and reports what a vendor must not be sent', async () => {
    await expect(ask({}, { kilotoken: true })).rejects.toBeInstanceOf(OpenAI.BadRequestError);
    await expect(stream({}, { stream_options: null })).rejects.toBeInstanceOf(OpenAI.BadRequestError);
    await expect(new OpenAI({ baseURL: vendor.baseUrl, apiKey: 'kt_live_x', maxRetries: 0 }).models.list()).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    await expect(openai.withOptions({ apiKey: 'kt_live_x' }).completions.create({ model: 'm', prompt: '' })).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
    await expect(ask({ outputTokens: -1 })).rejects.toBeInstanceOf(OpenAI.BadRequestError);
    expect(vendor.violations()).toHaveLength(6);
  });
});
