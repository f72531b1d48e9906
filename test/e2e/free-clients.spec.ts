import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import OpenAI, { BadRequestError } from 'openai';
import type { ChatCompletionMessageParam } from 'openai/resources/chat/completions';
import { startCluster, type Cluster } from '../support/cluster.js';
import { withOwner } from '../support/invariants.js';
import { seedKey } from '../support/cluster-seed.js';

/**
 * Clients that ask freely: they send back what they were answered, with what SDKs and vendors put into it, and parameters of other servers.
 * The vendor here answers with fields of its own and keeps what it was sent.
 */

interface Sent {
  messages: Record<string, unknown>[];
  tools?: unknown[];
  stream?: boolean;
  [parameter: string]: unknown;
}

const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
const thoughts = { reasoning: 'hm', reasoning_content: 'hm', reasoning_details: [{ type: 'reasoning.text', text: 'hm', index: 0 }] };
const head = { id: 'chatcmpl-vendor', created: 1, model: 'vendor' };
const call = { id: 'call_1', type: 'function', index: 0, extra_content: { google: { thought_signature: 'xx' } }, function: { name: 'look', arguments: '{"a":1}' } };

/** A call while nothing was called yet, then a text. */
const answerTo = ({ messages, tools }: Sent) => {
  const calls = tools !== undefined && !messages.some(({ role }) => role === 'tool');
  return calls ? { said: { content: null, tool_calls: [call] }, finish_reason: 'tool_calls' } : { said: { content: '{"answer":42}', tool_calls: [] }, finish_reason: 'stop' };
};

const jsonAnswer = ({ said, finish_reason }: ReturnType<typeof answerTo>): string => {
  const message = { role: 'assistant', refusal: null, annotations: [], audio: null, function_call: null, ...thoughts, ...said };
  return JSON.stringify({ ...head, object: 'chat.completion', choices: [{ index: 0, message, logprobs: null, finish_reason }], usage });
};

const streamAnswer = ({ said, finish_reason }: ReturnType<typeof answerTo>): string => {
  const deltas = [{ role: 'assistant', content: '' }, thoughts, said.content === null ? { tool_calls: said.tool_calls } : { content: said.content }];
  const chunk = (choices: object[], more: object = {}) => `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices, ...more })}\n\n`;
  return [...deltas.map((delta) => chunk([{ index: 0, delta, finish_reason: null }])), chunk([{ index: 0, delta: {}, finish_reason }]), chunk([], { usage }), 'data: [DONE]\n\n'].join('');
};

let server: Server;
let cluster: Cluster;
let openai: OpenAI;
let strictKey: string;
const bodies: Sent[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    void request.toArray().then((parts: Buffer[]) => {
      const body = JSON.parse(Buffer.concat(parts).toString()) as Sent;
      bodies.push(body);
      const answer = answerTo(body);
      response.setHeader('content-type', body.stream ? 'text/event-stream' : 'application/json');
      response.end(body.stream ? streamAnswer(answer) : jsonAnswer(answer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  const standard = ['tools', 'response_format', 'image_input'];
  cluster = await startCluster({
    models: [
      { model: 'plain', maxOutputTokens: 100, lanes: [{ baseUrl, capabilities: standard }] },
      { model: 'thinking', lanes: [{ baseUrl, capabilities: [...standard, 'reasoning_content', 'reasoning_details', 'extra_content', 'top_k', 'chat_template_kwargs', 'ignore_eos', 'max_completion_tokens'] }] },
      { model: 'strict', maxTokensAbove: 'clamp', unsupportedParameters: 'refuse', maxOutputTokens: 100, lanes: [{ baseUrl, lacks: ['n', 'seed'] }] },
    ],
    grants: ['10'],
  });
  const { key } = await withOwner(cluster.ownerUrl, (owner) => seedKey(owner, cluster.tenant, { unsupportedParameters: 'refuse', maxTokensAbove: 'clamp' }));
  strictKey = key;
  openai = new OpenAI({ baseURL: cluster.gatewayUrls[0]!, apiKey: cluster.apiKey, maxRetries: 0 });
});

afterAll(async () => {
  await cluster?.stop();
  server?.closeAllConnections();
  await new Promise((resolve) => server?.close(resolve));
});

const user: ChatCompletionMessageParam = { role: 'user', content: 'hi' };
const objectOf = (name: string) => ({ type: 'object', properties: { [name]: { type: 'number' } }, required: [name], additionalProperties: false });
const response_format = { type: 'json_schema' as const, json_schema: { name: 'a', strict: true, schema: objectOf('answer') } };
const tools = [{ type: 'function' as const, function: { name: 'look', strict: true, parameters: objectOf('a') } }];
const plainCall = { id: 'call_1', type: 'function', function: { name: 'look', arguments: '{"a":1}' } };
const lastTurn = () => bodies.at(-1)!.messages.slice(1);

/** The gateway's answer to any body. */
const ask = async (body: object, key = cluster.apiKey) => {
  const answer = await fetch(`${cluster.gatewayUrls[0]}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'plain', messages: [user], ...body }),
  });
  const text = await answer.text();
  const error = answer.ok ? null : (JSON.parse(text) as { error: { code: string; param: string | null } }).error;
  return { status: answer.status, dropped: answer.headers.get('x-kilotoken-dropped'), error };
};

describe('what the SDK was answered goes back in the next turn', () => {
  it('by parse(), as the plain message that every vendor takes', async () => {
    const { choices } = await openai.chat.completions.parse({ model: 'plain', messages: [user], response_format });
    expect(choices[0]!.message.parsed).toEqual({ answer: 42 });
    await openai.chat.completions.parse({ model: 'plain', messages: [user, choices[0]!.message, user], response_format });
    expect(lastTurn()[0]).toEqual({ role: 'assistant', content: '{"answer":42}' });
  });

  it('by the final message of a stream with tools', async () => {
    const message = await openai.chat.completions.stream({ model: 'plain', messages: [user], tools }).finalMessage();
    const result = { role: 'tool' as const, tool_call_id: 'call_1', content: 'x' };
    const next = await openai.chat.completions.stream({ model: 'plain', messages: [user, message, result], tools }).finalMessage();
    expect(next.content).toBe('{"answer":42}');
    const [assistant] = lastTurn();
    expect(assistant).toMatchObject({ role: 'assistant', tool_calls: [plainCall] });
    expect(JSON.stringify(assistant)).not.toMatch(/parsed|reasoning|extra_content|index/);
  });

  it.each([false, true])('by runTools, streamed: %s, and its messages after it', async (stream) => {
    const look = { name: 'look', description: 'looks', parse: JSON.parse, parameters: objectOf('a'), function: ({ a }: { a: number }) => `saw ${a}` };
    const asked = { model: 'plain', messages: [user], tools: [{ type: 'function' as const, function: look }] };
    const runner = stream ? openai.chat.completions.runTools({ ...asked, stream: true }) : openai.chat.completions.runTools({ ...asked, stream: false });
    expect(await runner.finalContent()).toBe('{"answer":42}');
    await openai.chat.completions.create({ model: 'plain', messages: [...runner.messages, user] });
    expect(lastTurn()).toMatchObject([{ role: 'assistant', tool_calls: [plainCall] }, { role: 'tool', tool_call_id: 'call_1', content: 'saw 1' }, { role: 'assistant', content: '{"answer":42}' }, user]);
  });

  it('with the fields of the vendor for a lane that understands them', async () => {
    const { choices } = await openai.chat.completions.create({ model: 'thinking', messages: [user], tools });
    await openai.chat.completions.create({ model: 'thinking', messages: [user, choices[0]!.message, { role: 'tool', tool_call_id: 'call_1', content: 'x' }], tools });
    const { reasoning_content, reasoning_details } = thoughts;
    const { index, ...forwarded } = call;
    expect(index).toBe(0);
    expect(lastTurn()[0]).toEqual({ role: 'assistant', content: null, reasoning_content, reasoning_details, tool_calls: [forwarded] });
  });
});

describe('parameters of other servers', () => {
  const asked = { top_k: 20, min_p: 0.1, repetition_penalty: 1.1, chat_template_kwargs: { enable_thinking: false }, ignore_eos: true, logit_bias: { 1: 1 }, provider: { order: ['a'] } };

  it.each([false, true])('are dropped by name where no lane has them, in a stream: %s', async (stream) => {
    const answer = await ask({ ...asked, stream, ...(stream ? { stream_options: { include_usage: true, continuous_usage_stats: true } } : {}) });
    expect(answer.status).toBe(200);
    const names = [...Object.keys(asked), ...(stream ? ['stream_options.continuous_usage_stats'] : [])];
    expect(answer.dropped!.split(', ').sort()).toEqual(names.sort());
    expect(Object.keys(bodies.at(-1)!).filter((name) => name in asked)).toEqual([]);
  });

  it('reach a lane that declares them', async () => {
    const { status, dropped } = await ask({ ...asked, model: 'thinking' });
    expect({ status, dropped }).toEqual({ status: 200, dropped: 'min_p, repetition_penalty, logit_bias, provider' });
    expect(bodies.at(-1)).toMatchObject({ top_k: 20, chat_template_kwargs: { enable_thinking: false }, ignore_eos: true });
    expect((await ask({ model: 'thinking', top_k: 20 })).dropped).toBeNull();
  });

  it('are refused where the model or the key says so, before anything is sent', async () => {
    const before = bodies.length;
    expect(await ask({ top_k: 20 }, strictKey)).toMatchObject({ status: 400, error: { code: 'unsupported_parameter', param: 'top_k' } });
    expect(await ask({ model: 'strict', provider: { order: ['a'] } })).toMatchObject({ status: 400, error: { code: 'unsupported_parameter', param: 'provider' } });
    expect(await ask({ model: 'strict', seed: 1 })).toMatchObject({ status: 400, error: { code: 'unsupported_parameter', param: 'seed' } });
    for (const [param, changes] of Object.entries({ n: { model: 'strict', n: 2 }, logprobs: { logprobs: true }, functions: { functions: [{ name: 'f' }] } })) {
      expect(await ask(changes)).toMatchObject({ status: 400, error: { code: 'unsupported_parameter', param } });
    }
    expect(await ask({ api_base: 'http://10.0.0.1' })).toMatchObject({ status: 400, error: { code: 'unknown_parameter', param: 'api_base' } });
    expect(bodies.length).toBe(before);
  });

  it('leave a max_tokens above the model\u2019s refused, or lowered where the model or the key says so', async () => {
    expect(await ask({ max_tokens: 101 })).toMatchObject({ status: 400, error: { code: 'output_ceiling_exceeded' } });
    for (const [changes, key] of [[{ model: 'strict' }, cluster.apiKey], [{}, strictKey]] as const) {
      expect(await ask({ ...changes, max_tokens: 101 }, key)).toMatchObject({ status: 200, dropped: 'max_tokens' });
      expect(bodies.at(-1)).toMatchObject({ max_tokens: 100 });
    }
  });

  it('of nobody inside a message stay here', async () => {
    const message = { role: 'user', content: 'hi', id: 'm1', createdAt: 'today', files: [{}] };
    expect((await ask({ messages: [message] })).status).toBe(200);
    expect(bodies.at(-1)).toEqual({ model: 'plain', messages: [user], max_tokens: 100 });
  });

  it('name the bound of an answer as the lane wants it', async () => {
    await ask({ model: 'thinking', max_tokens: 7 });
    expect(bodies.at(-1)).toMatchObject({ max_completion_tokens: 7 });
    expect(bodies.at(-1)).not.toHaveProperty('max_tokens');
    await ask({ max_completion_tokens: 7 });
    expect(bodies.at(-1)).toMatchObject({ max_tokens: 7 });
    expect(bodies.at(-1)).not.toHaveProperty('max_completion_tokens');
  });

  it('may be empty: no tools, no functions, no stops and no detail are absent', async () => {
    const image = { type: 'image_url', image_url: { url: 'https://a.example/b.png', detail: null } };
    const answer = await ask({ tools: [], functions: [], stop: [], tool_choice: 'auto', logit_bias: {}, messages: [{ role: 'user', content: [image] }] });
    expect(answer).toMatchObject({ status: 200, dropped: null });
    expect(bodies.at(-1)).toEqual({ model: 'plain', messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://a.example/b.png' } }] }], max_tokens: 100 });
  });
});

describe('an address in a message', () => {
  const image = (url: string) => ({ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }] });

  it('is passed on as it was judged', async () => {
    expect((await ask(image('http://x.com\\@127.0.0.1/'))).status).toBe(200);
    expect(bodies.at(-1)!.messages).toEqual(image('http://x.com/@127.0.0.1/').messages);
  });

  it.each(['http://kubernetes.default.svc/', 'http://vault.service.consul/', 'http://168.63.129.16/', 'http://0x7f.1/', 'http://a@example.com/'])('is refused where it leads inside: %s', async (url) => {
    const before = bodies.length;
    const refusal = await openai.chat.completions.create({ model: 'plain', ...image(url) } as never).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(BadRequestError);
    expect(refusal).toMatchObject({ code: 'invalid_image_url', param: 'messages[0].content[0].image_url.url' });
    expect(bodies.length).toBe(before);
  });
});
