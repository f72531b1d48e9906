import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { RunningApp } from '@kilotoken/platform';
import { openLog, startApp } from '@kilotoken/platform/process';
import OpenAI from 'openai';
import { findTestModel } from '../../../test/support/test-model.js';
import { until } from '../../../test/support/until.js';
import { startVendor, type Vendor } from '../../../test/support/vendor.js';
import { workerApp } from './app.js';
import { parseWorkerSettings } from './config.js';

const token = 'a-token-of-24-characters';
const authorization = `Bearer ${token}`;
const modelPath = await findTestModel();
const itWithModel = modelPath === null ? it.skip : it;
jest.setTimeout(60_000);

let running: RunningApp | null = null;
let vendor: Vendor | null = null;
let url = '';

afterEach(async () => {
  await running?.close();
  await vendor?.close();
  [running, vendor] = [null, null];
});

const start = async (environment: Record<string, string> = {}): Promise<void> => {
  const settings = parseWorkerSettings({ WORKER_PORT: '0', INTERNAL_TOKEN: token, LOG_LEVEL: 'silent', ...environment });
  running = await startApp(workerApp, settings, await openLog({ name: 'inference-worker', level: 'silent' }));
  url = `http://127.0.0.1:${running.port}`;
};

/** Slow enough to be looked at while it runs. */
const startSlow = async (overrides: Record<string, string> = {}): Promise<void> => start({ WORKER_LOOPBACK_TOKEN_DELAY_MS: '20', ...overrides });

const post = async (path: string, body: unknown, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> =>
  fetch(`${url}${path}`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(signal ? { signal } : {}),
  });
const ask = (content: string, fields: object = {}) => ({ model: 'loopback', messages: [{ role: 'user', content }], ...fields });
/** The value of a metric of this worker; labels stand in any order. */
const metric = async (name: string, labels: Record<string, string> = { model: 'loopback' }): Promise<number> => {
  const text = await (await fetch(`${url}/metrics`, { headers: { authorization } })).text();
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  const line = text.split('\n').find((one) => one.startsWith(`kilotoken_worker_${name}{`) && wanted.every((label) => one.includes(label)));
  return line === undefined ? Number.NaN : Number(line.split(' ').at(-1));
};
const runningSequences = async (): Promise<number> => metric('running_sequences');
const waitingSequences = async (): Promise<number> => metric('waiting_sequences');
const events = (text: string): unknown[] =>
  text
    .split('\n\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => (line === 'data: [DONE]' ? '[DONE]' : JSON.parse(line.slice('data: '.length))));

describe('the face of a worker', () => {
  it('shows health to anybody, and everything else to the token alone', async () => {
    await start();
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({ status: 'ready', checks: { loopback: { ok: true } } });
    for (const path of ['/metrics', '/v1/models', '/v1/chat/completions', '/v1/unknown']) expect((await fetch(`${url}${path}`)).status).toBe(401);
    const wrong = await post('/v1/chat/completions', ask('x'), { authorization: 'Bearer another' });
    expect(wrong.status).toBe(401);
    expect((await fetch(`${url}/v1/unknown`, { headers: { authorization } })).status).toBe(404);
  });

  it('lists what it serves', async () => {
    await start();
    expect(await (await fetch(`${url}/v1/models`, { headers: { authorization } })).json()).toMatchObject({
      object: 'list',
      data: [{ id: 'loopback', object: 'model', owned_by: 'kilotoken', engine: 'loopback', context_window: 131_072 }],
    });
  });

  it('answers in JSON, with usage and the time in the queue', async () => {
    await start();
    const response = await post('/v1/chat/completions', ask('hello there', { n: 2 }));
    expect(response.headers.get('x-queue-ms')).toMatch(/^\d+$/);
    expect(await response.json()).toMatchObject({
      object: 'chat.completion',
      model: 'loopback',
      choices: [0, 1].map((index) => ({ index, message: { role: 'assistant', content: '[loopback engine] hello there' }, finish_reason: 'stop' })),
      usage: { prompt_tokens: 3, completion_tokens: 8, total_tokens: 11, prompt_tokens_details: { cached_tokens: 0 } },
    });
  });

  it('streams a chunk a token, each with the exact usage so far, then usage and the mark of the end', async () => {
    await start();
    const response = await post('/v1/chat/completions', ask('hello there', { stream: true, stream_options: { include_usage: true, continuous_usage_stats: true } }));
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    expect(response.headers.get('x-queue-ms')).toMatch(/^\d+$/);
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    const all = events(await response.text()) as { choices: { delta: { content?: string } }[]; usage: { completion_tokens: number; prompt_tokens: number } }[];
    expect(all.slice(0, 4).map(({ choices, usage }) => [choices[0]!.delta.content, usage.completion_tokens, usage.prompt_tokens])).toEqual([
      ['[loopback', 1, 3],
      [' engine]', 2, 3],
      [' hello', 3, 3],
      [' there', 4, 3],
    ]);
    expect(all.slice(4)).toMatchObject([{ choices: [{ finish_reason: 'stop' }], usage: { completion_tokens: 4 } }, { choices: [], usage: { completion_tokens: 4 } }, '[DONE]']);
  });

  it('answers legacy completions, several prompts at once', async () => {
    await start();
    const response = await post('/v1/completions', { model: 'loopback', prompt: ['one', 'two'], max_tokens: 3 });
    expect(await response.json()).toMatchObject({
      object: 'text_completion',
      choices: [{ text: '[loopback engine] one' }, { text: '[loopback engine] two' }],
      usage: { prompt_tokens: 2, completion_tokens: 6 },
    });
  });

  it("is understood by OpenAI's SDK, in its answers and in its errors", async () => {
    await start();
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: token, maxRetries: 0 });
    const stream = client.chat.completions.stream({ model: 'loopback', messages: [{ role: 'user', content: 'hi' }], stream_options: { include_usage: true } });
    const final = await stream.finalChatCompletion();
    expect(final.choices[0]).toMatchObject({ message: { role: 'assistant', content: '[loopback engine] hi' }, finish_reason: 'stop' });
    expect(final.usage).toMatchObject({ prompt_tokens: 2, completion_tokens: 3 });
    const unknown = client.chat.completions.create({ model: 'none', messages: [{ role: 'user', content: 'hi' }] });
    await expect(unknown).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    await expect(unknown).rejects.toMatchObject({ code: 'model_not_found', param: 'model' });
  });

  it.each<[string, string | object, Record<string, string>, number, string]>([
    ['no JSON', '{', {}, 400, 'invalid_json'],
    ['an empty body', '', {}, 400, 'empty_body'],
    ['another type', '{}', { 'content-type': 'text/plain' }, 415, 'unsupported_media_type'],
    ['a repeated key', '{"model":"loopback","model":"x"}', {}, 400, 'duplicate_key'],
    ['a parameter that no engine honours', ask('x', { logit_bias: { 1: 2 } }), {}, 400, 'unsupported_parameter'],
    ['a prompt over the context', ask('word '.repeat(140_000)), {}, 400, 'context_length_exceeded'],
    ['more choices than queue and batch hold', ask('x', { n: 128 }), {}, 400, 'unsupported_value'],
  ])("refuses %s in OpenAI's error shape", async (_name, body, headers, status, code) => {
    await start({ WORKER_LOOPBACK_SEQUENCES: '4', WORKER_QUEUE_SEQUENCES: '4' });
    const response = await post('/v1/chat/completions', body, headers);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ error: { code, type: 'invalid_request_error', message: expect.any(String) } });
  });

  it('what waits beyond the queue is refused with 429, and answered once there is room', async () => {
    await startSlow({ WORKER_LOOPBACK_SEQUENCES: '1', WORKER_QUEUE_SEQUENCES: '1' });
    const first = post('/v1/chat/completions', ask('word '.repeat(150)));
    await until('the first runs', async () => (await runningSequences()) === 1);
    const second = post('/v1/chat/completions', ask('x'));
    await until('the second waits', async () => (await waitingSequences()) === 1);
    const third = await post('/v1/chat/completions', ask('x'));
    expect(third.status).toBe(429);
    expect(third.headers.get('retry-after')).toBe('1');
    expect(await third.json()).toMatchObject({ error: { code: 'queue_full', type: 'rate_limit_error' } });
    expect((await first).status).toBe(200);
    const waited = await second;
    expect(waited.status).toBe(200);
    expect(Number(waited.headers.get('x-queue-ms'))).toBeGreaterThan(0);
  });
});

describe('a client that leaves', () => {
  it.each([true, false])('ends its generation, streamed: %s', async (stream) => {
    await startSlow();
    const controller = new AbortController();
    const response = post('/v1/chat/completions', ask('word '.repeat(2_000), { stream }), {}, controller.signal).catch(() => null);
    await until('it runs', async () => (await runningSequences()) === 1);
    controller.abort();
    await response;
    await until('nothing runs any more', async () => (await runningSequences()) === 0);
    expect(await metric('requests_total', { model: 'loopback', outcome: 'cancelled' })).toBe(1);
  });

  it('while it waits gives its place in the queue back', async () => {
    await startSlow({ WORKER_LOOPBACK_SEQUENCES: '1' });
    const [first, second] = [new AbortController(), new AbortController()];
    const asked = [first, second].map(async ({ signal }) => post('/v1/chat/completions', ask('word '.repeat(2_000)), {}, signal).catch(() => null));
    await until('one waits', async () => (await waitingSequences()) === 1);
    second.abort();
    await until('none waits', async () => (await waitingSequences()) === 0);
    first.abort();
    await Promise.all(asked);
  });
});

it('a drain lets streams finish and refuses what is new', async () => {
  await startSlow();
  const stream = await post('/v1/chat/completions', ask('a b c d e f', { stream: true }));
  const drained = running!.drain();
  const late = await post('/v1/chat/completions', ask('x'));
  expect(late.status).toBe(503);
  expect(await late.json()).toMatchObject({ error: { code: 'server_draining' } });
  expect(await stream.text()).toMatch(/data: \[DONE\]\n\n$/);
  expect(await drained).toBe(true);
});

describe('a server behind the worker', () => {
  const startBefore = async (overrides: Record<string, string> = {}): Promise<void> => {
    vendor = await startVendor({ key: 'the-servers-key' });
    // The stand-in knows what OpenAI documents, and nothing of vLLM's.
    const engine = { WORKER_ENGINE_URL: vendor.baseUrl, WORKER_ENGINE_MODEL: 'org/Upstream', WORKER_ENGINE_MODEL_ID: 'ours', WORKER_ENGINE_KEY: 'the-servers-key', WORKER_ENGINE_CONTINUOUS_USAGE: '0' };
    await start({ ...engine, ...overrides });
  };

  it("answers under our id with the server's text, counts and reason, and never sees our token", async () => {
    await startBefore();
    const response = await post('/v1/chat/completions', { model: 'ours', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 3, temperature: 0 });
    expect(await response.json()).toMatchObject({
      model: 'ours',
      choices: [{ message: { content: ' time year people' }, finish_reason: 'length' }],
      usage: { prompt_tokens: 1, completion_tokens: 3 },
    });
    expect(vendor!.log()).toMatchObject([{ model: 'org/Upstream', stream: true, status: 200 }]);
    expect(vendor!.violations()).toEqual([]);
  });

  it('that is away is 502, and makes the worker not ready', async () => {
    await startBefore();
    await vendor!.close();
    const response = await post('/v1/chat/completions', { model: 'ours', messages: [{ role: 'user', content: 'Hi' }] });
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ error: { code: 'upstream_error', type: 'server_error' } });
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
  });

  it('that breaks off in the middle of a stream ends it with an error and without the mark of the end', async () => {
    await startBefore();
    vendor!.control({ all: { endAfterChunks: 2 } });
    const text = await (await post('/v1/chat/completions', { model: 'ours', messages: [{ role: 'user', content: 'Hi' }], stream: true })).text();
    expect(text).not.toContain('[DONE]');
    expect(events(text).at(-1)).toMatchObject({ error: { code: 'upstream_error' } });
  });
});

describe('settings', () => {
  const parse = (environment: Record<string, string>) => parseWorkerSettings({ INTERNAL_TOKEN: token, ...environment });

  it.each([
    [{ WORKER_SLOTS: '16', WORKER_BATCH_TOKENS: '16' }, /WORKER_BATCH_TOKENS is wrong: must be more than WORKER_SLOTS/],
    [{ WORKER_ENGINE_URL: 'http://127.0.0.1:8000/v1' }, /WORKER_ENGINE_MODEL is not set/],
    [{ WORKER_ENGINE_URL: 'ftp://x/v1', WORKER_ENGINE_MODEL: 'm' }, /WORKER_ENGINE_URL is wrong/],
    [{ KILOTOKEN_GPU: 'tpu' }, /cuda, vulkan or metal/],
  ])('%j is refused by name', (environment, message) => {
    expect(() => parse(environment)).toThrow(message);
  });

  it.each([
    ['a model that is not there', { KILOTOKEN_MODEL_PATH: '/nowhere/model.gguf' }, /KILOTOKEN_MODEL_PATH is wrong: there is no file/],
    ['a file that is no model', { KILOTOKEN_MODEL_PATH: import.meta.filename }, /could not be loaded/],
    ['a GPU without its package', { KILOTOKEN_MODEL_PATH: import.meta.filename, KILOTOKEN_GPU: 'cuda', KILOTOKEN_HOME: '/nowhere' }, /llama.cpp for cuda is not installed/],
    ['two models under one id', { WORKER_ENGINE_URL: 'http://127.0.0.1:8000/v1', WORKER_ENGINE_MODEL: 'loopback' }, /serves loopback already/],
  ])('%s ends the start with what to do', async (_name, environment, message) => {
    await expect(start(environment)).rejects.toThrow(message);
  });
});

describe('the real model, through the face', () => {
  itWithModel('answers JSON and streams with the same tokens, and is listed with its context', async () => {
    await start({ KILOTOKEN_MODEL_PATH: modelPath!, WORKER_SLOTS: '2', WORKER_CONTEXT_TOKENS: '256', WORKER_THREADS: '1' });
    const question = { model: 'smollm2-135m-instruct', messages: [{ role: 'user', content: 'What is 2+2?' }], temperature: 0, max_tokens: 12 };
    const json = (await (await post('/v1/chat/completions', question)).json()) as { choices: { message: { content: string } }[]; usage: { completion_tokens: number } };
    const streamed = events(await (await post('/v1/chat/completions', { ...question, stream: true, stream_options: { include_usage: true } })).text()).slice(0, -1) as { choices: { delta: { content?: string } }[]; usage: unknown }[];
    expect(streamed.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe(json.choices[0]!.message.content);
    expect(streamed.at(-1)!.usage).toEqual(json.usage);
    expect(json.usage.completion_tokens).toBeGreaterThan(0);
    const { data } = (await (await fetch(`${url}/v1/models`, { headers: { authorization } })).json()) as { data: unknown[] };
    expect(data).toMatchObject([{ id: 'smollm2-135m-instruct', engine: 'llama.cpp', context_window: 256 }, { id: 'loopback' }]);
    expect(await metric('decode_sequences_count', { model: 'smollm2-135m-instruct' })).toBeGreaterThan(0);
  });
});
