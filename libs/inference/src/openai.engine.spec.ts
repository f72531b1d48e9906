import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { until } from '../../../test/support/until.js';
import type { Engine, GenerationRequest, RunSink, TokenUsage } from './engine.js';
import { createOpenAiEngine, type OpenAiEngineSettings, type OpenAiRun } from './openai.engine.js';

/** What vLLM takes of what we send, and nothing else: an engine that invents a parameter fails here. */
const common = {
  model: z.literal('upstream-model'),
  max_tokens: z.int().min(1).optional(),
  n: z.int().min(2).optional(),
  temperature: z.number(),
  top_p: z.number(),
  seed: z.int().optional(),
  stop: z.array(z.string().min(1)).min(1).optional(),
  stream: z.literal(true),
  stream_options: z.strictObject({ include_usage: z.literal(true), continuous_usage_stats: z.literal(true).optional() }),
};
const bodies = {
  '/v1/chat/completions': z.strictObject({ ...common, messages: z.array(z.strictObject({ role: z.enum(['system', 'user', 'assistant']), content: z.string() })).min(1) }),
  '/v1/completions': z.strictObject({ ...common, prompt: z.union([z.string(), z.array(z.string()).min(2)]) }),
};

type Respond = (response: ServerResponse, request: IncomingMessage, body: Record<string, unknown>) => void;

let server: Server | null = null;
let engine: Engine<OpenAiRun> | null = null;

const stop = async (): Promise<void> => {
  await engine?.close();
  server?.closeAllConnections();
  await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
  [server, engine] = [null, null];
};
afterEach(stop);

const start = async (respond: Respond, overrides: Partial<OpenAiEngineSettings> = {}): Promise<Engine<OpenAiRun>> => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const schema = bodies[request.url as keyof typeof bodies];
      const parsed = schema?.safeParse(JSON.parse(Buffer.concat(chunks).toString()));
      if (request.headers.authorization !== 'Bearer the-key') response.writeHead(401).end();
      else if (request.url === '/v1/models') response.end('{"data":[]}');
      else if (!parsed?.success) response.writeHead(400).end(JSON.stringify({ error: { message: `stand-in: ${parsed?.error.message}` } }));
      else respond(response, request, parsed.data);
    });
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  const times = { connectMs: 60_000, firstByteMs: 60_000, idleMs: 60_000 };
  engine = createOpenAiEngine({ baseUrl, modelId: 'ours', upstreamModel: 'upstream-model', key: 'the-key', contextTokens: 1_000, connectionsMax: 4, continuousUsage: true, ...times, ...overrides });
  return engine;
};

const request = (overrides: Partial<GenerationRequest> = {}): GenerationRequest => ({
  prompt: { kind: 'chat', messages: [{ role: 'user', content: 'Hi' }] },
  choicesPerPrompt: 1,
  maxTokens: 5,
  sampling: { temperature: 0, topP: 1, seed: null, stop: [] },
  ...overrides,
});

const answer = async (asked: GenerationRequest, signal = new AbortController().signal) => {
  const told: string[] = [];
  const usages: TokenUsage[] = [];
  const sink: RunSink = {
    usage: (usage) => usages.push(usage),
    text: (choice, text) => told.push(`${choice}:${text}`),
    finish: (choice, reason) => told.push(`${choice}!${reason}`),
  };
  const { runs } = engine!.plan(asked);
  await engine!.run(runs[0]!, sink, signal);
  return { told, usages };
};

const chunk = (choices: unknown[], usage?: unknown): string => `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', choices, usage })}\n\n`;
const delta = (index: number, content: string, finish: string | null = null) => ({ index, delta: { content }, finish_reason: finish });
const counts = (prompt: number, completion: number) => ({ prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion });
const whole = [chunk([delta(0, 'Hel')], counts(3, 1)), chunk([delta(0, 'lo')], counts(3, 2)), chunk([delta(0, '', 'stop')], counts(3, 2)), chunk([], counts(3, 2)), 'data: [DONE]\n\n'].join('');
const stream = (text: string): Respond => (response) => response.writeHead(200, { 'content-type': 'text/event-stream' }).end(text);

describe("an engine behind OpenAI's API", () => {
  it('asks for what it was asked and tells text, counts and reason', async () => {
    let sent: unknown;
    await start((response, incoming, body) => {
      sent = body;
      stream(whole)(response, incoming, body);
    });
    const { told, usages } = await answer(request({ sampling: { temperature: 0.5, topP: 0.9, seed: 7, stop: ['END'] } }));
    expect(told).toEqual(['0:Hel', '0:lo', '0!stop']);
    expect(usages.at(0)).toEqual({ promptTokens: 3, completionTokens: 1 });
    expect(usages.at(-1)).toEqual({ promptTokens: 3, completionTokens: 2 });
    expect(sent).toEqual({
      model: 'upstream-model',
      messages: [{ role: 'user', content: 'Hi' }],
      max_tokens: 5,
      temperature: 0.5,
      top_p: 0.9,
      seed: 7,
      stop: ['END'],
      stream: true,
      stream_options: { include_usage: true, continuous_usage_stats: true },
    });
  });

  it('several choices and several prompts go in one request', async () => {
    let sent: Record<string, unknown> = {};
    const text = (index: number) => ({ index, text: `t${index}`, finish_reason: 'length' });
    await start((response, incoming, body) => {
      sent = body;
      stream(`${chunk([text(1), text(3)])}${chunk([text(0), text(2)])}${chunk([], counts(4, 4))}data: [DONE]\n\n`)(response, incoming, body);
    });
    const { told } = await answer(request({ prompt: { kind: 'text', texts: ['a', 'b'] }, choicesPerPrompt: 2 }));
    expect(sent).toMatchObject({ prompt: ['a', 'b'], n: 2 });
    expect(told).toEqual(['1:t1', '1!length', '3:t3', '3!length', '0:t0', '0!length', '2:t2', '2!length']);
  });

  it('a server without running counts is not asked for them', async () => {
    let sent: Record<string, unknown> = {};
    await start(
      (response, incoming, body) => {
        sent = body;
        stream(whole)(response, incoming, body);
      },
      { continuousUsage: false },
    );
    await answer(request());
    expect(sent['stream_options']).toEqual({ include_usage: true });
  });

  it('an event that comes byte by byte, with a character torn apart, is read whole', async () => {
    const text = `: comment\n\n${chunk([delta(0, 'héllo 😀')], counts(1, 1))}${chunk([delta(0, '', 'stop')])}data: [DONE]\n\n`;
    await start((response) => {
      response.writeHead(200);
      response.socket!.setNoDelay(true);
      const bytes = [...Buffer.from(text)];
      const next = (): void => {
        const byte = bytes.shift();
        if (byte === undefined) response.end();
        else response.write(Buffer.from([byte]), () => setImmediate(next));
      };
      next();
    });
    expect((await answer(request())).told).toEqual(['0:héllo 😀', '0!stop']);
  });

  it('is ready when the server answers', async () => {
    await expect((await start(stream(whole))).check()).resolves.toBeUndefined();
    server!.closeAllConnections();
    await new Promise<void>((resolve) => server!.close(() => resolve()));
    await expect(engine!.check()).rejects.toThrow();
  });

  it('bytes of the prompt and the answer bound what its cache holds, at most its context', async () => {
    await start(stream(whole));
    expect(engine!.plan(request({ choicesPerPrompt: 2 })).runs).toMatchObject([{ sequences: 2, kvTokens: 14, choices: [0, 1] }]);
    expect(engine!.plan(request({ maxTokens: null })).runs[0]!.kvTokens).toBe(1_000);
  });
});

describe('a cancellation', () => {
  it('closes the connection to the server, and the counts so far are kept', async () => {
    const controller = new AbortController();
    let closed = false;
    await start((response) => {
      response.writeHead(200);
      response.write(chunk([delta(0, 'Hel')], counts(3, 1)));
      response.on('close', () => (closed = true));
    });
    const usages: TokenUsage[] = [];
    const sink: RunSink = { usage: (usage) => usages.push(usage), text: () => controller.abort(), finish: () => undefined };
    await engine!.run(engine!.plan(request()).runs[0]!, sink, controller.signal);
    expect(usages).toEqual([{ promptTokens: 3, completionTokens: 1 }]);
    await until('the server sees the connection closed', () => closed);
  });
});

describe('what the server does wrong', () => {
  const status = (code: number, body = ''): Respond => (response) => response.writeHead(code).end(body);

  it.each<[string, Respond, Partial<Record<'code' | 'kind' | 'publicMessage', unknown>>]>([
    ['429 is a full queue', status(429), { code: 'queue_full', kind: 'exhausted' }],
    ['400 is passed on with its words', status(400, '{"error":{"message":"too\\nlong"}}'), { code: 'invalid_value', kind: 'invalid', publicMessage: 'too long' }],
    ['its context is ours', status(400, '{"error":{"message":"x","code":"context_length_exceeded"}}'), { code: 'context_length_exceeded', kind: 'invalid' }],
    ['500 with a page', status(500, '<html>secret</html>'), { code: 'upstream_error', kind: 'unavailable', publicMessage: 'The engine failed to answer.' }],
    ['503 is away', status(503), { code: 'lane_unavailable', kind: 'unavailable' }],
    ['a stream without its end', stream(whole.replace('data: [DONE]\n\n', '')), { code: 'upstream_error' }],
    ['a stream whose choice never finishes', stream(`${chunk([delta(0, 'x')])}data: [DONE]\n\n`), { code: 'upstream_error' }],
    ['a choice that was not asked for', stream(chunk([delta(4, 'x')])), { code: 'upstream_error' }],
    ['text after the finish', stream(chunk([delta(0, 'x', 'stop')]) + chunk([delta(0, 'y')])), { code: 'upstream_error' }],
    ['no JSON', stream('data: {"choices":\n\n'), { code: 'upstream_error' }],
    ['an error inside of the stream', stream('data: {"error":{"message":"out of memory"}}\n\n'), { code: 'upstream_error' }],
    ['counts that go down', stream(chunk([delta(0, 'x')], counts(3, 5)) + chunk([delta(0, 'y')], counts(3, 4))), { code: 'upstream_error' }],
    ['counts that cannot be', stream(chunk([delta(0, 'x')], counts(3, -1))), { code: 'upstream_error' }],
    ['a finish reason that text cannot have', stream(chunk([delta(0, '', 'tool_calls')])), { code: 'upstream_error' }],
    ['a connection that breaks', (response) => response.writeHead(200).write(chunk([delta(0, 'x')]), () => response.destroy()), { code: 'upstream_error' }],
    ['an event without end', stream(`data: ${'x'.repeat(3 * 1024 * 1024)}`), { code: 'upstream_error' }],
  ])('%s', async (_name, respond, failure) => {
    await start(respond);
    await expect(answer(request())).rejects.toMatchObject(failure);
  });

  it('silence before the first byte and between two is bounded', async () => {
    await start(() => undefined, { firstByteMs: 50 });
    await expect(answer(request())).rejects.toMatchObject({ code: 'upstream_timeout' });
    await stop();
    await start((response) => void response.writeHead(200).write(chunk([delta(0, 'x')])), { idleMs: 50 });
    await expect(answer(request())).rejects.toMatchObject({ code: 'upstream_timeout' });
  });
});
