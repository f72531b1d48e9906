import { describe, expect, test } from '@jest/globals';
import { answerText, hasPrivateFields, publicAnswer } from './answer-fields.js';

/** An answer as a reseller sends it, with what is its own and ours in every place. */
const resold = {
  id: 'gen-1',
  provider: 'Some Cloud',
  object: 'chat.completion',
  created: 1,
  model: 'vendor/model',
  service_tier: 'default',
  system_fingerprint: 'fp_1',
  citations: ['https://example.org'],
  x_groq: { id: 'req_1' },
  cost: 0.5,
  purchase_price: '0.2',
  _hidden_params: { response_cost: 0.1 },
  choices: [
    {
      index: 0,
      finish_reason: 'stop',
      native_finish_reason: 'STOP',
      logprobs: null,
      usage: { prompt_tokens: 1 },
      provider: 'Some Cloud',
      error: null,
      message: {
        role: 'assistant',
        content: 'the cost is {"cost":1}',
        refusal: null,
        reasoning: 'hm',
        reasoning_content: 'hm',
        reasoning_details: [{ type: 'reasoning.text', text: 'hm', signature: 's' }],
        tool_calls: [{ index: 0, id: 'c', type: 'function', function: { name: 'price', arguments: '{"price":1}' }, extra_content: { google: { thought_signature: 't' } } }],
        annotations: [{ type: 'url_citation' }],
        audio: { id: 'a' },
        extra_content: { google: { thought: true } },
        provider_specific_fields: { thinking_blocks: [], upstream_cost: 3 },
        cost_details: { upstream_inference_cost: 1 },
        is_byok: false,
      },
    },
  ],
  usage: { prompt_tokens: 1, cost: 0.5 },
};

const clean = {
  id: 'gen-1',
  object: 'chat.completion',
  created: 1,
  model: 'vendor/model',
  service_tier: 'default',
  system_fingerprint: 'fp_1',
  citations: ['https://example.org'],
  choices: [
    {
      index: 0,
      finish_reason: 'stop',
      native_finish_reason: 'STOP',
      logprobs: null,
      message: {
        role: 'assistant',
        content: 'the cost is {"cost":1}',
        refusal: null,
        reasoning: 'hm',
        reasoning_content: 'hm',
        reasoning_details: [{ type: 'reasoning.text', text: 'hm', signature: 's' }],
        tool_calls: [{ index: 0, id: 'c', type: 'function', function: { name: 'price', arguments: '{"price":1}' }, extra_content: { google: { thought_signature: 't' } } }],
        annotations: [{ type: 'url_citation' }],
        audio: { id: 'a' },
        extra_content: { google: { thought: true } },
        provider_specific_fields: { thinking_blocks: [] },
      },
    },
  ],
};

describe('what of an answer leaves', () => {
  test('is all that speaks of the answer, and nothing of the vendor, its prices or our account', () => {
    expect(publicAnswer(resold)).toEqual(clean);
  });

  test('does not change what the vendor sent, which is still read', () => {
    const before = structuredClone(resold);
    publicAnswer(resold);
    expect(resold).toEqual(before);
  });

  test.each(['cost', 'cost_details', 'upstream_inference_cost', 'is_byok', 'provider', 'provider_name', 'usage', 'price', 'billing', '_response_ms', '__proto__', 'error'])('a %s in a delta is found', (name) => {
    const choices = JSON.parse(`[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b","${name}":1}}]`) as unknown[];
    expect(hasPrivateFields(choices)).toBe(true);
    expect(publicAnswer({ choices })).toEqual({ choices: [{ index: 0, delta: { content: 'a' } }, { index: 1, delta: { content: 'b' } }] });
  });

  test('chunks with nothing private leave as their own text', () => {
    expect(hasPrivateFields([{ index: 0, delta: { role: 'assistant', content: 'cost', reasoning_details: [] }, logprobs: null, finish_reason: null }])).toBe(false);
    expect(hasPrivateFields([null, 'text', 5])).toBe(false);
    expect(hasPrivateFields(undefined)).toBe(false);
  });

  test('has our id, our model and the usage as it was written', () => {
    const text = answerText({ id: 'theirs', choices: [], model: 'theirs', usage: { cost: 1 } }, { id: 'ours', model: 'm' }, '{"cost":0.100000000000000000001}');
    expect(text).toBe('{"id":"ours","choices":[],"model":"m","usage":{"cost":0.100000000000000000001}}');
  });
});
