import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { capabilities } from '@kilotoken/contracts';
import { parseChatCompletion } from './chat-completion.js';
import { buildUpstreamBody } from './upstream-body.js';

/** What SDKs send back; see its README. */
const bodies = JSON.parse(readFileSync(new URL('../../../test/fixtures/sdk-bodies/bodies.json', import.meta.url), 'utf8')) as {
  senders: string[];
  message: Record<string, unknown>;
}[];

const user = { role: 'user', content: 'hi' };
const parse = (...messages: object[]) => parseChatCompletion({ model: 'm', messages: [user, ...messages] });
const sent = (lane: readonly string[], ...messages: object[]) => {
  const options = { model: 'm', maxTokens: 1, maxTokensParam: 'max_tokens', stream: false, continuousUsage: false, capabilities: new Set(lane) } as const;
  return JSON.parse(JSON.stringify(buildUpstreamBody(parse(...messages), options)['messages'])).slice(1) as Record<string, unknown>[];
};

const known = new Set(['role', 'content', 'name', 'refusal', 'tool_calls', 'function_call', 'tool_call_id', 'audio']);

describe('what we answered may come back', () => {
  test('seven major versions of the official SDKs and their helpers are recorded', () => {
    const senders = bodies.flatMap((body) => body.senders);
    for (const sdk of ['openai-node 4', 'openai-node 5', 'openai-node 6', 'openai-node 7', 'openai-python 1', 'openai-python 2', 'openai-python 3']) {
      expect(senders.filter((sender) => sender.startsWith(sdk)).length).toBeGreaterThan(5);
    }
  });

  test.each(bodies.map(({ senders, message }) => [senders[0]!, message] as const))('by %s, and a plain lane is sent what OpenAI documents', (_sender, message) => {
    const [plain] = sent([], message);
    expect(Object.keys(plain!).filter((key) => !known.has(key))).toEqual([]);
    for (const key of ['content', 'refusal', 'function_call'] as const) if (message[key] != null) expect(plain![key]).toEqual(message[key]);
    const calls = (message['tool_calls'] ?? []) as { id: string; function: { name: string; arguments: string } }[];
    const expected = calls.map(({ id, function: { name, arguments: written } }) => ({ id, type: 'function', function: { name, arguments: written } }));
    expect(plain!['tool_calls'] ?? []).toEqual(expected);
    expect(Object.values(plain!).filter((value, index) => value === null && Object.keys(plain!)[index] !== 'content')).toEqual([]);
  });

  test.each(bodies.map(({ senders, message }) => [senders[0]!, message] as const))('by %s, with what vendors added to a lane that understands it', (_sender, message) => {
    const [whole] = sent(capabilities, message);
    for (const key of ['reasoning', 'reasoning_content', 'reasoning_details', 'provider_specific_fields']) expect(whole![key]).toEqual(message[key]);
    expect(JSON.stringify(whole)).not.toMatch(/parsed/);
    if (JSON.stringify(message).includes('thought_signature')) expect(whole!['tool_calls']).toMatchObject([{ extra_content: { google: { thought_signature: 'xx' } } }]);
  });

  const assistant = (fields: object) => sent([], { role: 'assistant', ...fields })[0];
  const call = { id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } };

  test.each<[string, object, object]>([
    ['empty lists and nulls', { content: 'a', tool_calls: [], refusal: null, function_call: null, audio: null, annotations: null, name: null }, { content: 'a' }],
    ['an answer without a word', { content: null, refusal: null }, { content: '' }],
    ['an answer of thoughts alone', { content: null, reasoning: 'hm' }, { content: '' }],
    ['the same without its nulls', { reasoning_content: 'hm' }, { content: '' }],
    ['no content beside calls', { content: null, tool_calls: [call] }, { content: null, tool_calls: [call] }],
    ['the index and status of a call', { content: '', tool_calls: [{ ...call, index: 0, status: 'completed' }] }, { content: '', tool_calls: [call] }],
    ['a call without type', { tool_calls: [{ id: 'c', function: { name: 'f', arguments: '{}' } }] }, { tool_calls: [call] }],
    ['a call without arguments', { tool_calls: [{ ...call, function: { name: 'f' } }] }, { tool_calls: [{ ...call, function: { name: 'f', arguments: '' } }] }],
    ['a custom call', { tool_calls: [{ id: 'c', type: 'custom', index: 1, custom: { name: 'f', input: 'x' } }] }, { tool_calls: [{ id: 'c', type: 'custom', custom: { name: 'f', input: 'x' } }] }],
    ['thoughts among the parts', { content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'hm' }] }, { type: 'text', text: 'a', annotations: [] }] }, { content: [{ type: 'text', text: 'a' }] }],
    ['thoughts as the only part', { content: [{ type: 'thinking', thinking: 'hm' }] }, { content: '' }],
    ['what vendors and frameworks add', { content: 'a', id: 'x', citations: [1], logprobs: null, annotations: [{}], status: 'done', created_at: 1, images: [{}] }, { content: 'a' }],
    ['vendors\u2019 fields of another type', { content: 'a', reasoning: { text: 'hm' }, reasoning_details: 'hm', extra_content: [] }, { content: 'a' }],
    ['sound that was said before, as its text', { content: null, audio: { id: 'a', data: 'aGk=', expires_at: 1, transcript: 'Hi.' } }, { content: 'Hi.' }],
  ])('%s', (_name, fields, expected) => {
    expect(assistant(fields)).toEqual({ role: 'assistant', ...expected });
  });

  test('sound is named by its id to the vendor that made it', () => {
    const message = { role: 'assistant', content: null, audio: { id: 'a', data: 'aGk=', expires_at: 1, transcript: 'Hi.' } };
    expect(sent(['audio_reference'], message)).toEqual([{ role: 'assistant', content: null, audio: { id: 'a' } }]);
  });

  test('every field that a vendor may understand is sent to it alone', () => {
    const fields = { reasoning: 'r', reasoning_content: 'c', reasoning_details: [{}], thinking_blocks: [{ type: 'thinking' }], extra_content: { a: 1 }, provider_specific_fields: { b: 1 } };
    for (const [name, value] of Object.entries(fields)) {
      expect(sent([name], { role: 'assistant', content: 'a', ...fields })).toEqual([{ role: 'assistant', content: 'a', [name]: value }]);
    }
  });
});

describe('messages of other roles', () => {
  test.each<[object, object]>([
    [{ role: 'user', content: 'a', id: '1', createdAt: 'x', files: [] }, { role: 'user', content: 'a' }],
    [{ role: 'system', content: 'a', name: null, cache_control: { type: 'ephemeral' } }, { role: 'system', content: 'a' }],
    [{ role: 'tool', tool_call_id: 'c', content: 'a', is_error: false, status: 'ok' }, { role: 'tool', tool_call_id: 'c', content: 'a' }],
    [
      { role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://a.example/b', detail: null, width: 1 }, cache_control: null }] },
      { role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://a.example/b' } }] },
    ],
    [{ role: 'user', content: [{ type: 'image_url', image_url: 'https://a.example/b' }] }, { role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://a.example/b' } }] }],
    [{ role: 'user', content: [{ type: 'text', text: 'a', cache_control: { type: 'ephemeral', ttl: '1h' } }] }, { role: 'user', content: [{ type: 'text', text: 'a' }] }],
    [{ role: 'user', content: [{ type: 'file', file: { file_data: 'aGk=', file_id: null, filename: 'a' } }] }, { role: 'user', content: [{ type: 'file', file: { file_data: 'aGk=', filename: 'a' } }] }],
  ])('lose what nobody understands: %j', (message, expected) => {
    expect(sent(['image_input', 'file_input'], message)).toEqual([expected]);
  });

  test('keep the marks of what to cache for a lane that caches', () => {
    const message = { role: 'user', content: [{ type: 'text', text: 'a', cache_control: { type: 'ephemeral', ttl: '1h' } }], cache_control: { type: 'ephemeral' } };
    expect(sent(['cache_control'], message)).toEqual([message]);
  });

  test('have addresses passed on as the URL parser reads them', () => {
    const url = 'http://x.com\\@127.0.0.1/';
    const parts = [{ type: 'image_url', image_url: { url } }, { type: 'file', file: { file_data: url } }, { type: 'file', file: { file_url: url } }, { type: 'input_audio', input_audio: { data: url, format: 'mp3' } }];
    const text = JSON.stringify(sent([], { role: 'user', content: parts }));
    expect(text.match(/http:\/\/x\.com\/@127\.0\.0\.1\//g)).toHaveLength(4);
    expect(text).not.toContain('\\');
  });
});
