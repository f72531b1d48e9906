import { describe, expect, test } from '@jest/globals';
import { baseCapabilities, capabilities, declarableCapabilities, engineCapabilities, openAiLaneCapabilities } from '@kilotoken/contracts';
import { neededCapabilities } from './needed-capabilities.js';
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
    [part({ type: 'text', text: '', prompt_cache_breakpoint: { mode: 'explicit' } }), 'prompt_cache', 'prompt_cache_breakpoint'],
    [messages({ role: 'tool', tool_call_id: 'c', content: 'x' }), 'tools', 'messages[1].role'],
    [messages({ role: 'function', name: 'f', content: 'x' }), 'functions', 'messages[1].role'],
    [messages({ role: 'assistant', audio: { id: 'a' } }), 'audio_reference', 'messages[1].audio'],
  ])('%j needs %s, named by %s', (changes, capability, param) => {
    expect(chat(changes)).toMatchObject([{ capability, param }]);
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
    expect(chat({ audio, modalities: ['text', 'audio'] })).toEqual([{ capability: 'audio_output', param: expect.any(String), isFirm: true }]);
  });

  test('a capability that many parameters and messages need is named once', () => {
    expect(chat({ tools, tool_choice: 'required', parallel_tool_calls: false }).map(({ capability }) => capability)).toEqual(['tools']);
  });
});

describe('a parameter of another server', () => {
  test('needs a capability of its own name, unless it asks for nothing', () => {
    expect(chat({ top_k: 20 })).toEqual([{ capability: 'top_k', param: 'top_k', isFirm: false }]);
    expect(legacy({ ignore_eos: true }).map(({ param }) => param)).toEqual(['ignore_eos']);
    const neutral = { top_k: -1, min_p: 0, repetition_penalty: 1, ignore_eos: false, stop_token_ids: [], bad_words: [], skip_special_tokens: true, chat_template_kwargs: {}, regex: '' };
    expect(chat(neutral)).toEqual([]);
    expect(chat({ skip_special_tokens: false })).toMatchObject([{ capability: 'skip_special_tokens' }]);
  });

  test('is named by itself, each of those that share a capability', () => {
    expect(chat({ presence_penalty: 1, frequency_penalty: 1 }).map(({ param }) => param)).toEqual(['presence_penalty', 'frequency_penalty']);
  });

  test('is honoured by nobody where it chooses vendors, names addresses or programs, or asks for what streams here never have', () => {
    const needed = chat({
      provider: { order: ['a'] }, models: ['b'], chat_template: '{{ x }}', priority: -1, lora_path: '/x', n_predict: -1, transforms: [], plugins: null, debug: false,
      stream: true, stream_options: { continuous_usage_stats: true, include_obfuscation: true },
    });
    expect(needed.map(({ capability, isFirm }) => [capability, isFirm])).toEqual(Array(8).fill([null, false]));
    expect(needed.map(({ param }) => param)).toEqual([
      'provider', 'models', 'chat_template', 'priority', 'lora_path', 'n_predict', 'stream_options.include_obfuscation', 'stream_options.continuous_usage_stats',
    ]);
  });

  test('is a mark of what to cache wherever it stands, named once', () => {
    const cache_control = { type: 'ephemeral' };
    for (const changes of [
      { cache_control },
      part({ type: 'text', text: 'a', cache_control }),
      messages({ role: 'system', content: 'a', cache_control }, { role: 'user', content: [{ type: 'text', text: 'a', cache_control }] }),
      { tools: [{ ...tools[0], cache_control }] },
    ]) {
      expect(chat(changes).filter(({ capability }) => capability !== 'tools')).toEqual([{ capability: 'cache_control', param: 'cache_control', isFirm: false }]);
    }
  });
});

test('what an answer would be wrong without is firm, what only shapes it is not', () => {
  const firm = (changes: object) => chat(changes).every(({ isFirm }) => isFirm);
  for (const changes of [{ tools }, { functions: [{ name: 'f' }] }, { response_format: { type: 'json_object' } }, { n: 2 }, { logprobs: true }, { web_search_options: {} }]) {
    expect(firm(changes)).toBe(true);
  }
  for (const changes of [{ seed: 1 }, { temperature: 0 }, { presence_penalty: 1 }, { logit_bias: { 1: 1 } }, { verbosity: 'low' }, { reasoning_effort: 'low' }, { store: true }]) {
    expect(firm(changes)).toBe(false);
  }
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
  for (const names of Object.values(engineCapabilities)) for (const name of names) expect(declarableCapabilities).toContain(name);
  expect(declarableCapabilities).not.toContain('store');
});
