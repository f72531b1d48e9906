import { describe, expect, it } from '@jest/globals';
import { readRequest } from './generation-request.js';

const chat = (fields: object = {}) => readRequest('chat.completion', { model: 'm', messages: [{ role: 'user', content: 'Hi' }], ...fields });
const legacy = (fields: object = {}) => readRequest('text_completion', { model: 'm', prompt: 'Hi', ...fields });

describe('a request', () => {
  it("has OpenAI's defaults", () => {
    expect(chat()).toEqual({
      operation: 'chat.completion',
      model: 'm',
      generation: {
        prompt: { kind: 'chat', messages: [{ role: 'user', content: 'Hi' }] },
        choicesPerPrompt: 1,
        maxTokens: null,
        sampling: { temperature: 1, topP: 1, seed: null, stop: [] },
      },
      stream: null,
    });
  });

  it('hands on what the engines honour', () => {
    const fields = { temperature: 0, top_p: 0.5, seed: -3, stop: 'END', n: 2, max_completion_tokens: 7, stream: true, stream_options: { include_usage: true, continuous_usage_stats: true } };
    expect(chat(fields)).toMatchObject({
      generation: { choicesPerPrompt: 2, maxTokens: 7, sampling: { temperature: 0, topP: 0.5, seed: -3, stop: ['END'] } },
      stream: { includeUsage: true, continuousUsage: true },
    });
    expect(legacy({ prompt: ['a', 'b'], max_tokens: 3, stop: ['x', 'y'] })).toMatchObject({
      generation: { prompt: { kind: 'text', texts: ['a', 'b'] }, maxTokens: 3, sampling: { stop: ['x', 'y'] } },
    });
  });

  it('reads messages of all roles and parts as text', () => {
    const messages = [
      { role: 'developer', content: 'Be brief.' },
      { role: 'user', content: [{ type: 'text', text: 'one' }, { type: 'text', text: 'two' }] },
      { role: 'assistant', content: null, refusal: 'No.' },
      { role: 'assistant', content: [{ type: 'refusal', refusal: 'Never.' }] },
    ];
    expect(chat({ messages }).generation.prompt).toEqual({
      kind: 'chat',
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'one\ntwo' },
        { role: 'assistant', content: 'No.' },
        { role: 'assistant', content: 'Never.' },
      ],
    });
  });

  it('takes what is at its default, and labels', () => {
    const fields = { frequency_penalty: 0, logit_bias: {}, logprobs: false, response_format: { type: 'text' }, tool_choice: 'none', service_tier: 'auto', user: 'u', metadata: { a: 'b' }, stop: [] };
    expect(chat(fields)).toEqual(chat());
  });
});

describe('what is refused, by name', () => {
  it.each<[string, object, string, string]>([
    ['penalties', { presence_penalty: 1 }, 'unsupported_parameter', 'presence_penalty'],
    ['tools', { tools: [{ type: 'function', function: { name: 'f' } }] }, 'unsupported_parameter', 'tools'],
    ['logprobs', { logprobs: true }, 'unsupported_parameter', 'logprobs'],
    ['a format', { response_format: { type: 'json_object' } }, 'unsupported_parameter', 'response_format'],
    ['images', { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://example.com/a.png' } }] }] }, 'unsupported_parameter', 'messages[0].content[0]'],
    ['an unknown parameter', { temprature: 1 }, 'unknown_parameter', 'temprature'],
    ['an unknown stream option', { stream: true, stream_options: { continuous_usage_stats: true, other: 1 } }, 'unknown_parameter', 'stream_options.other'],
    ['a stream option of another type', { stream: true, stream_options: { continuous_usage_stats: 'yes' } }, 'invalid_type', 'stream_options.continuous_usage_stats'],
    ['a stream option without a stream', { stream_options: { continuous_usage_stats: true } }, 'conflicting_parameters', 'stream_options'],
    ['no tokens', { max_tokens: 0 }, 'integer_below_min_value', 'max_tokens'],
    ['an overflowing n', { n: 18446744073686646784 }, 'integer_above_max_value', 'n'],
    ['no messages', { messages: [] }, 'empty_array', 'messages'],
  ])('%s', (_name, fields, code, param) => {
    expect(() => chat(fields)).toThrow(expect.objectContaining({ code, param }));
  });

  it.each<[string, object, string]>([
    ['tokens as a prompt', { prompt: [1, 2] }, 'token_prompt_unsupported'],
    ['an echo', { echo: true }, 'unsupported_parameter'],
    ['best_of', { best_of: 3 }, 'unsupported_parameter'],
  ])('%s of legacy completions', (_name, fields, code) => {
    expect(() => legacy(fields)).toThrow(expect.objectContaining({ code }));
  });

  it.each([null, [], 'text', 7])('a body that is %j', (body) => {
    expect(() => readRequest('chat.completion', body)).toThrow(expect.objectContaining({ name: 'ContractError' }));
  });
});
