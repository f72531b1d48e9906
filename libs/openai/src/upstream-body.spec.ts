import { describe, expect, test } from '@jest/globals';
import { baseCapabilities, capabilities, type Capability } from '@kilotoken/contracts';
import { parseChatCompletion } from './chat-completion.js';
import { parseCompletion } from './completion.js';
import { buildUpstreamBody, forwardedParameters, type UpstreamOptions } from './upstream-body.js';

const options: UpstreamOptions = { model: 'vendor/model', maxTokens: 77, maxTokensParam: 'max_tokens', stream: false, continuousUsage: false };
const messages = [{ role: 'user', content: 'a' }];
const chat = (changes: object, changedOptions: Partial<UpstreamOptions> = {}) =>
  buildUpstreamBody(parseChatCompletion({ model: 'm', messages, ...changes }), { ...options, ...changedOptions });
const lane = (...names: Capability[]): ReadonlySet<Capability> => new Set([...baseCapabilities, ...names]);

describe('the body for a lane', () => {
  test('the gateway decides model, limit and stream, whatever the client wrote', () => {
    expect(chat({ max_tokens: 5, max_completion_tokens: 5, stream: true, stream_options: { include_usage: false } })).toEqual({
      model: 'vendor/model',
      messages,
      max_tokens: 77,
    });
    expect(chat({ max_tokens: 5 }, { maxTokensParam: 'max_completion_tokens' })).toEqual({ model: 'vendor/model', messages, max_completion_tokens: 77 });
  });

  test('a stream always reports its usage, with every chunk where the lane can', () => {
    expect(chat({}, { stream: true })).toMatchObject({ stream: true, stream_options: { include_usage: true } });
    expect(chat({}, { stream: true, continuousUsage: true })['stream_options']).toEqual({ include_usage: true, continuous_usage_stats: true });
    expect(chat({}, { continuousUsage: true })).not.toHaveProperty('stream_options');
  });

  test("nothing that tells of our customer's end users leaves, nor what would keep a prompt at the vendor", () => {
    const labels = { user: 'end-user-1', metadata: { a: 'end-user-1' }, safety_identifier: 'end-user-1', prompt_cache_key: 'end-user-1', store: true };
    for (const lanes of [undefined, new Set(capabilities)]) {
      const body = chat(labels, lanes ? { capabilities: lanes } : {});
      expect(JSON.stringify(body)).not.toContain('end-user-1');
      expect(body).not.toHaveProperty('store');
    }
  });

  test('what is on no list is not passed on, even if a schema let it through', () => {
    const smuggled = { ...parseChatCompletion({ model: 'm', messages }), api_base: 'http://elsewhere', extra_headers: {} } as never;
    expect(Object.keys(buildUpstreamBody(smuggled, options)).sort()).toEqual(['max_tokens', 'messages', 'model']);
    for (const name of ['model', 'user', 'metadata', 'store', 'stream']) expect(forwardedParameters).not.toContain(name);
  });

  test('parameters are passed on as they are where the lane has their capability', () => {
    const asked = { temperature: 1, top_p: 0.5, n: 2, seed: 3, stop: ['x'], presence_penalty: 0, response_format: { type: 'json_object' }, logprobs: false };
    expect(chat(asked)).toMatchObject(asked);
    const body = chat(asked, { capabilities: lane('response_format') });
    expect(body).toMatchObject({ temperature: 1, top_p: 0.5, n: 2, seed: 3, stop: ['x'], response_format: { type: 'json_object' } });
    expect(body).not.toHaveProperty('presence_penalty');
    expect(body).not.toHaveProperty('logprobs');
  });

  test('a tool choice without tools and an empty list of stops stay here', () => {
    const body = chat({ tool_choice: 'none', parallel_tool_calls: true, function_call: 'none', stop: [] });
    expect(Object.keys(body).sort()).toEqual(['max_tokens', 'messages', 'model']);
    const tools = [{ type: 'function', function: { name: 'f' } }];
    expect(chat({ tools, tool_choice: 'none' })).toMatchObject({ tools, tool_choice: 'none' });
  });

  test('a developer speaks as the system where the lane knows no developers', () => {
    const asked = { messages: [{ role: 'developer', content: 'a' }, ...messages] };
    expect(chat(asked, { capabilities: lane() })['messages']).toEqual([{ role: 'system', content: 'a' }, ...messages]);
    expect(chat(asked, { capabilities: lane('developer_role') })['messages']).toEqual(asked.messages);
    expect(chat(asked)['messages']).toEqual(asked.messages);
  });

  test('a lane that lacks what others have by nature is not sent it', () => {
    const body = chat({ n: 1, seed: 3, temperature: 0.5 }, { capabilities: new Set(['temperature']) });
    expect(Object.keys(body).sort()).toEqual(['max_tokens', 'messages', 'model', 'temperature']);
  });

  test('tools keep their marks of what to cache for a lane that caches', () => {
    const plain = { type: 'function', function: { name: 'f' } };
    const tools = [plain, { ...plain, cache_control: { type: 'ephemeral' } }];
    expect(chat({ tools }, { capabilities: lane('tools') })['tools']).toEqual([plain, plain]);
    expect(chat({ tools }, { capabilities: lane('tools', 'cache_control') })['tools']).toEqual(tools);
  });

  test('a legacy completion has its own limit and its own parameters', () => {
    const request = parseCompletion({ model: 'm', prompt: ['a', 'b'], echo: true, logprobs: 0, suffix: 's', user: 'u', best_of: 2 });
    expect(buildUpstreamBody(request, { ...options, maxTokensParam: 'max_completion_tokens' })).toEqual({
      model: 'vendor/model',
      prompt: ['a', 'b'],
      echo: true,
      logprobs: 0,
      suffix: 's',
      best_of: 2,
      max_tokens: 77,
    });
  });
});
