import { describe, expect, test } from '@jest/globals';
import { baseCapabilities, capabilities, declarableCapabilities, neededCapabilities, openAiLaneCapabilities } from './capabilities.js';
import { parseChatCompletion } from './chat-completion.js';
import { parseCompletion } from './completion.js';

const chat = (changes: object) => neededCapabilities(parseChatCompletion({ model: 'm', messages: [{ role: 'user', content: 'a' }], ...changes }));
const legacy = (changes: object) => neededCapabilities(parseCompletion({ model: 'm', prompt: 'a', ...changes }));
const messages = (...list: object[]) => ({ messages: [{ role: 'user', content: 'a' }, ...list] });
const part = (value: object) => messages({ role: 'user', content: [{ type: 'text', text: 'a' }, value] });

const tools = [{ type: 'function', function: { name: 'f' } }];

describe('a chat', () => {
  test.each<[string, object]>([
    ['no parameter', {}],
    ['n', { n: 1 }],
    ['temperature', { temperature: 1 }],
    ['top_p', { top_p: 1 }],
    ['penalties', { presence_penalty: 0, frequency_penalty: 0 }],
    ['logprobs', { logprobs: false }],
    ['logit_bias', { logit_bias: {} }],
    ['response_format', { response_format: { type: 'text' } }],
    ['tool_choice without tools', { tool_choice: 'none' }],
    ['parallel_tool_calls', { parallel_tool_calls: true }],
    ['store', { store: false }],
    ['service_tier', { service_tier: 'auto' }],
    ['the default tier by name', { service_tier: 'default' }],
    ['stop', { stop: [] }],
    ['modalities', { modalities: ['text'] }],
    ['verbosity', { verbosity: 'medium' }],
    ['prompt_cache_options', { prompt_cache_options: { mode: 'implicit', ttl: '30m' } }],
    ['what the gateway itself uses', { user: 'u', metadata: { a: 'b' }, safety_identifier: 's', prompt_cache_key: 'k', stream: true, stream_options: { include_usage: true } }],
    ['nulls', { tools: null, logprobs: null, response_format: null, store: null }],
  ])('at its default needs nothing: %s', (_name, changes) => {
    expect(chat(changes)).toEqual([]);
  });

  test.each<[object, string, string]>([
    [{ temperature: 0 }, 'temperature', 'temperature'],
    [{ top_p: 0.9 }, 'top_p', 'top_p'],
    [{ n: 2 }, 'n', 'n'],
    [{ seed: 0 }, 'seed', 'seed'],
    [{ stop: 'x' }, 'stop', 'stop'],
    [{ max_tokens: 5 }, 'max_tokens', 'max_tokens'],
    [{ max_completion_tokens: 5 }, 'max_tokens', 'max_completion_tokens'],
    [{ presence_penalty: 0.1 }, 'penalties', 'presence_penalty'],
    [{ logit_bias: { 1: 1 } }, 'logit_bias', 'logit_bias'],
    [{ logprobs: true }, 'logprobs', 'logprobs'],
    [{ tools }, 'tools', 'tools'],
    [{ parallel_tool_calls: false }, 'tools', 'parallel_tool_calls'],
    [{ functions: [{ name: 'f' }] }, 'functions', 'functions'],
    [{ response_format: { type: 'json_object' } }, 'response_format', 'response_format'],
    [{ reasoning_effort: 'low' }, 'reasoning_effort', 'reasoning_effort'],
    [{ verbosity: 'low' }, 'verbosity', 'verbosity'],
    [{ prediction: { type: 'content', content: 'x' } }, 'prediction', 'prediction'],
    [{ web_search_options: {} }, 'web_search', 'web_search_options'],
    [{ moderation: { model: 'x' } }, 'moderation', 'moderation'],
    [{ prompt_cache_retention: '24h' }, 'prompt_cache', 'prompt_cache_retention'],
    [{ service_tier: 'flex' }, 'service_tier', 'service_tier'],
    [{ store: true }, 'store', 'store'],
    [part({ type: 'image_url', image_url: { url: 'https://a.example/b' } }), 'image_input', 'messages[1].content[1]'],
    [part({ type: 'input_audio', input_audio: { data: '', format: 'mp3' } }), 'audio_input', 'messages[1].content[1]'],
    [part({ type: 'text', text: '', prompt_cache_breakpoint: { mode: 'explicit' } }), 'prompt_cache', 'messages[1].content[1].prompt_cache_breakpoint'],
    [messages({ role: 'tool', tool_call_id: 'c', content: 'x' }), 'tools', 'messages[1].role'],
    [messages({ role: 'function', name: 'f', content: 'x' }), 'functions', 'messages[1].role'],
    [messages({ role: 'assistant', audio: { id: 'a' } }), 'audio_reference', 'messages[1].audio'],
  ])('%j needs %s, named by %s', (changes, capability, param) => {
    expect(chat(changes)).toEqual([{ capability, param }]);
  });

  test('a file of the vendor needs more than a file in the request', () => {
    const file = (value: object) => chat(part({ type: 'file', file: value })).map(({ capability }) => capability);
    expect(file({ file_data: 'a' })).toEqual(['file_input']);
    expect(file({ file_id: 'a' })).toEqual(['file_input', 'file_reference']);
  });

  test('custom tools need more than functions, and audio is asked for by its modality', () => {
    expect(chat({ tools: [{ type: 'custom', custom: { name: 'f' } }] }).map(({ capability }) => capability)).toEqual(['tools', 'custom_tools']);
    const audio = { format: 'mp3', voice: 'alloy' };
    expect(chat({ audio })).toEqual([]);
    expect(chat({ audio, modalities: ['text', 'audio'] })).toEqual([{ capability: 'audio_output', param: expect.any(String) }]);
  });

  test('a capability that many parameters and messages need is named once', () => {
    expect(chat({ tools, tool_choice: 'required', parallel_tool_calls: false }).map(({ capability }) => capability)).toEqual(['tools']);
  });
});

describe('a legacy completion', () => {
  test.each<[object, string]>([
    [{ echo: true }, 'echo'],
    [{ suffix: 's' }, 'suffix'],
    [{ best_of: 2 }, 'best_of'],
    [{ logprobs: 0 }, 'logprobs'],
  ])('%j needs %s', (changes, capability) => {
    expect(legacy(changes).map((needed) => needed.capability)).toEqual([capability]);
  });

  test('at its defaults needs nothing', () => {
    expect(legacy({ echo: false, suffix: '', best_of: 1, n: 1, user: 'u' })).toEqual([]);
    expect(legacy({ best_of: 2, n: 2 }).map((needed) => needed.capability)).toEqual(['n']);
  });
});

test('what lanes have by nature are known names, and no lane may promise to keep answers', () => {
  expect(new Set(capabilities).size).toBe(capabilities.length);
  for (const name of [...baseCapabilities, ...openAiLaneCapabilities]) expect(capabilities).toContain(name);
  expect(declarableCapabilities).not.toContain('store');
});
