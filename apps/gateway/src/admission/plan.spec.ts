import { describe, expect, test } from '@jest/globals';
import { openAiLaneCapabilities, type TokenClass } from '@kilotoken/contracts';
import { parseChatCompletion, parseCompletion } from '@kilotoken/openai';
import { holdingOf } from '@kilotoken/funding';
import { defaultModelSettings, type Catalogue, type CatalogueModel, type Lane } from '@kilotoken/marketplace';
import { formatMoney, parseMoney } from '@kilotoken/money';
import { priceKey, type PriceVersion } from '@kilotoken/pricing';
import { smallRequest } from '../intake/read-request.js';
import type { Caller } from '../request/caller.js';
import type { Plan } from '../request/plan.js';
import { Refusal } from '../request/refusal.js';
import { outputTokensOn, planRequest } from './plan.js';

const caller: Caller = {
  organizationId: 'organization',
  accountRootId: 'organization',
  priceBookId: 'book',
  organizationStatus: 'active',
  projectId: 'project',
  apiKeyId: 'key',
  allowedModels: null,
  expiresAtMs: null,
  revokedAtMs: null,
  limits: null,
  packs: null,
  unsupportedParameters: null,
  maxTokensAbove: null,
};

const lane = (more: Partial<Lane> = {}): Lane => ({
  id: 'lane',
  modelId: 'mock',
  position: 0,
  kind: 'openai',
  baseUrl: 'http://127.0.0.1:1/v1',
  upstreamModel: 'mock',
  keyEnv: null,
  cost: { currency: 'USD', per: 1_000_000n, rates: {} },
  capabilities: new Set<string>(openAiLaneCapabilities),
  tokenClasses: new Set<TokenClass>(['input', 'output']),
  tokenizer: 'o200k_base',
  timeouts: { connectMs: 1, firstByteMs: 1, idleMs: 1, answerMs: 1 },
  drain: false,
  ...more,
});

const withAlso = (...names: string[]): ReadonlySet<string> => new Set([...openAiLaneCapabilities, ...names]);

const price = (rates: Partial<Record<TokenClass, string | null>>): PriceVersion => ({
  id: 'price',
  currency: 'USD',
  effectiveAtMs: 0,
  rates: new Map(Object.entries(rates).map(([name, amount]) => [name as TokenClass, { amount: amount === null ? null : parseMoney(amount!), per: 1_000_000n }])),
});

const catalogueOf = (model: Partial<CatalogueModel> = {}, rates: Partial<Record<TokenClass, string | null>> = { input: '1', output: '2' }): Catalogue => ({
  version: 1n,
  models: new Map([['mock', { ...defaultModelSettings, id: 'mock', contextWindow: 10_000, maxOutputTokens: 1_000, createdAt: new Date(0), lanes: [lane()], ...model }]]),
  prices: new Map([[priceKey('book', 'mock'), [price(rates)]]]),
  burnTables: new Map(),
});

const chat = (more: object = {}) => parseChatCompletion({ model: 'mock', messages: [{ role: 'user', content: 'hello' }], ...more });
const plan = (request: Parameters<typeof smallRequest>[0] = chat(), catalogue = catalogueOf(), who = caller): Plan => planRequest(smallRequest(request), who, catalogue, 16, 1_000);

const refusal = (act: () => unknown): Pick<Refusal, 'code' | 'param'> => {
  try {
    act();
  } catch (error) {
    if (error instanceof Refusal) return { code: error.code, param: error.param };
    throw error;
  }
  throw new Error('nothing was refused');
};

describe('the worst case of a request', () => {
  test('is its prompt bound at the input price and what it may answer at the output price', () => {
    const { promptTokensMax, units: [{ want, least }] } = plan(chat({ max_tokens: 100 }));
    expect(want).toBe(promptTokensMax * parseMoney('0.000001') + 100n * parseMoney('0.000002'));
    expect(least).toBe(want);
  });

  test('counts every choice', () => {
    const one = plan(chat({ max_tokens: 100 }));
    const four = plan(chat({ max_tokens: 100, n: 4 }));
    expect(formatMoney(four.units[0].want - one.units[0].want)).toBe('0.0006');
  });

  test('is never more prompt than the context window', () => {
    expect(plan(chat({ messages: [{ role: 'user', content: 'x'.repeat(50_000) }], max_tokens: 1 })).promptTokensMax).toBe(10_000n);
  });

  test('counts each image at the most that the model takes for one, and at the window where the model does not say', () => {
    const image = { type: 'image_url', image_url: { url: 'https://a.example/b.png' } };
    const asked = chat({ messages: [{ role: 'user', content: [image, image, { type: 'text', text: 'which?' }] }], max_tokens: 1 });
    const lanes = [lane({ capabilities: withAlso('image_input') })];
    const without = plan(chat({ messages: [{ role: 'user', content: [{ type: 'text', text: 'which?' }] }], max_tokens: 1 })).promptTokensMax;
    expect(plan(asked, catalogueOf({ lanes, imageTokens: 1_000 })).promptTokensMax).toBe(without + 2_000n + 2n * 4n);
    expect(plan(asked, catalogueOf({ lanes, imageTokens: 9_000 })).promptTokensMax).toBe(10_000n);
    expect(plan(asked, catalogueOf({ lanes, imageTokens: null })).promptTokensMax).toBe(10_000n);
  });

  test('of several legacy prompts is at most the context window for each', () => {
    const request = parseCompletion({ model: 'mock', prompt: ['x'.repeat(50_000), 'x'.repeat(92)], max_tokens: 1 });
    expect(plan(request).promptTokensMax).toBe(10_000n + 100n);
  });

  test('takes the dearest class that any of its lanes can return', () => {
    const lanes = [lane(), lane({ id: 'caching', tokenClasses: new Set<TokenClass>(['input', 'output', 'cache_write_5m']) })];
    const { promptTokensMax, units: [{ want }] } = plan(chat({ max_tokens: 1 }), catalogueOf({ lanes }, { input: '1', output: '2', cache_write_5m: '1.25' }));
    expect(want).toBe(promptTokensMax * parseMoney('0.00000125') + parseMoney('0.000002'));
  });

  test('of legacy completions counts prompts × max(n, best_of)', () => {
    const request = parseCompletion({ model: 'mock', prompt: ['a', 'b'], n: 1, best_of: 3, max_tokens: 10 });
    expect(plan(request, catalogueOf({ lanes: [lane({ capabilities: withAlso('best_of') })] })).choices).toBe(6);
  });

  test('is shrunk to what a smaller hold affords where the client set no maximum', () => {
    const free = plan();
    const [{ unit, want, least }] = free.units;
    const held = (total: bigint) => holdingOf(unit, { id: 'request', total, parts: [] });
    expect(free.outputTokensMax).toBe(1_000);
    expect(least).toBeLessThan(want);
    expect(outputTokensOn(free, held(want))).toBe(1_000);
    expect(outputTokensOn(free, held(least))).toBe(16);
    expect(outputTokensOn(free, held(want - 1n))).toBe(999);
  });
});

describe('refused before anything is held', () => {
  test.each<[string, () => unknown, Pick<Refusal, 'code' | 'param'>]>([
    ['an unknown model', () => plan(chat({ model: 'nobody' })), { code: 'model_not_found', param: 'model' }],
    ['a model that the key may not use', () => plan(chat(), catalogueOf(), { ...caller, allowedModels: new Set(['other']) }), { code: 'model_not_allowed', param: 'model' }],
    ['a model without a lane', () => plan(chat(), catalogueOf({ lanes: [] })), { code: 'lane_unavailable', param: null }],
    ['a parameter that no lane honours', () => plan(chat({ logprobs: true })), { code: 'unsupported_parameter', param: 'logprobs' }],
    ['more tokens than the model answers', () => plan(chat({ max_tokens: 1_001 })), { code: 'output_ceiling_exceeded', param: 'max_tokens' }],
    ['choices × tokens over the ceiling', () => plan(chat({ max_tokens: 10_000, n: 128 }), catalogueOf({ maxOutputTokens: 10_000 })), { code: 'output_ceiling_exceeded', param: 'n' }],
    ['no price', () => plan(chat(), { ...catalogueOf(), prices: new Map() }), { code: 'price_unavailable', param: 'model' }],
    ['a null price', () => plan(chat(), catalogueOf({}, { input: '1', output: null })), { code: 'price_unavailable', param: 'model' }],
    [
      'a class that a lane can return and nobody priced',
      () => plan(chat(), catalogueOf({ lanes: [lane({ tokenClasses: new Set<TokenClass>(['input', 'output', 'cached_read']) })] })),
      { code: 'price_unavailable', param: 'model' },
    ],
  ])('%s', (_name, act, expected) => expect(refusal(act)).toEqual(expected));

  test('a parameter at its default needs nothing of a lane', () => expect(() => plan(chat({ logprobs: false, n: 1, tool_choice: 'none' }))).not.toThrow());

  test('only lanes that honour the request are tried, in their order', () => {
    const lanes = [lane({ id: 'plain' }), lane({ id: 'first', capabilities: withAlso('tools') }), lane({ id: 'second', capabilities: withAlso('tools') })];
    const tools = [{ type: 'function', function: { name: 'f', parameters: {} } }];
    expect(plan(chat({ tools }), catalogueOf({ lanes })).lanes.map(({ id }) => id)).toEqual(['first', 'second']);
  });

  test('a max_tokens above the model\u2019s where neither model nor key lowers it', () => {
    const clamping = catalogueOf({ maxTokensAbove: 'clamp' });
    expect(refusal(() => plan(chat({ max_tokens: 1_001 }), clamping, { ...caller, maxTokensAbove: 'refuse' }))).toEqual({ code: 'output_ceiling_exceeded', param: 'max_tokens' });
    for (const [catalogue, who] of [[clamping, caller], [catalogueOf(), { ...caller, maxTokensAbove: 'clamp' as const }]] as const) {
      expect(plan(chat({ max_tokens: 5_000 }), catalogue, who)).toMatchObject({ outputTokensMax: 1_000, outputTokensMin: 1_000, dropped: ['max_tokens'] });
      expect(plan(chat({ max_completion_tokens: 5_000 }), catalogue, who).dropped).toEqual(['max_completion_tokens']);
      expect(plan(chat({ max_tokens: 1_000 }), catalogue, who).dropped).toEqual([]);
    }
  });

  test('zero is free, not missing: a free model holds nothing', () => expect(plan(chat(), catalogueOf({}, { input: '0', output: '0' })).units[0].want).toBe(0n));
});

describe('a parameter that lanes lack', () => {
  const lanes = [lane({ id: 'plain' }), lane({ id: 'vllm', capabilities: withAlso('top_k', 'min_p', 'tools') }), lane({ id: 'other', capabilities: withAlso('top_a', 'tools') })];
  const planned = (changes: object, more: Partial<CatalogueModel> = {}, who = caller) => {
    const { lanes: chosen, dropped } = plan(chat(changes), catalogueOf({ lanes, ...more }), who);
    return { lanes: chosen.map(({ id }) => id), dropped };
  };
  const tools = [{ type: 'function', function: { name: 'f' } }];

  test('is honoured where a lane has it, and then by that lane alone', () => {
    expect(planned({ top_k: 20 })).toEqual({ lanes: ['vllm'], dropped: [] });
    expect(planned({})).toEqual({ lanes: ['plain', 'vllm', 'other'], dropped: [] });
  });

  test('is dropped by name where no lane has it, or only one that lacks what was asked before it', () => {
    expect(planned({ typical_p: 0.5, logit_bias: { 1: 1 } })).toEqual({ lanes: ['plain', 'vllm', 'other'], dropped: ['typical_p', 'logit_bias'] });
    expect(planned({ top_k: 20, top_a: 0.1, min_p: 0.1 })).toEqual({ lanes: ['vllm'], dropped: ['top_a'] });
    expect(planned({ provider: { order: ['a'] }, stream: true, stream_options: { continuous_usage_stats: true } }).dropped).toEqual(['provider', 'stream_options.continuous_usage_stats']);
  });

  test('gives way to what has to be honoured', () => {
    expect(planned({ seed: 1, tools, top_a: 0.1 })).toEqual({ lanes: ['other'], dropped: [] });
    const lacking = [lane({ id: 'seeded' }), lane({ id: 'tools', capabilities: new Set(['tools']) })];
    expect(planned({ seed: 1, tools }, { lanes: lacking })).toEqual({ lanes: ['tools'], dropped: ['seed'] });
  });

  test('is refused where the model or the key says so, the key before the model', () => {
    const refused = (changes: object, more: Partial<CatalogueModel>, who = caller) => refusal(() => planned(changes, more, who));
    const unsupported = (param: string) => ({ code: 'unsupported_parameter', param });
    expect(refused({ typical_p: 0.5 }, { unsupportedParameters: 'refuse' })).toEqual(unsupported('typical_p'));
    expect(refused({ provider: { order: ['a'] } }, { unsupportedParameters: 'refuse' })).toEqual(unsupported('provider'));
    expect(refused({ top_k: 1, top_a: 0.1 }, {}, { ...caller, unsupportedParameters: 'refuse' })).toEqual(unsupported('top_k'));
    expect(planned({ typical_p: 0.5 }, { unsupportedParameters: 'refuse' }, { ...caller, unsupportedParameters: 'drop' }).dropped).toEqual(['typical_p']);
  });

  test.each<[string, object]>([
    ['response_format', { response_format: { type: 'json_object' } }],
    ['logprobs', { logprobs: true }],
    ['functions', { functions: [{ name: 'f' }] }],
    ['messages[0].content[0]', { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://a.example/b' } }] }] }],
    ['web_search_options', { web_search_options: {} }],
  ])('is never dropped where an answer would be wrong without it: %s', (param, changes) => {
    expect(refusal(() => planned(changes))).toEqual({ code: 'unsupported_parameter', param });
  });

  test('may be one that other lanes have by nature: n is refused, seed dropped', () => {
    const lacking = [lane({ capabilities: new Set(['temperature']) })];
    expect(refusal(() => planned({ n: 2 }, { lanes: lacking }))).toEqual({ code: 'unsupported_parameter', param: 'n' });
    expect(planned({ n: 1, seed: 1 }, { lanes: lacking }).dropped).toEqual(['seed']);
  });
});

describe('what token limits count for a prompt', () => {
  const lanes = [lane({ capabilities: withAlso('image_input', 'file_input', 'audio_input') })];
  const counted = (parts: object[], more: Partial<CatalogueModel> = {}) => {
    const { promptTokensCounted, promptTokensMax } = plan(chat({ messages: [{ role: 'user', content: parts }], max_tokens: 1 }), catalogueOf({ lanes, ...more }));
    return { counted: Number(promptTokensCounted), held: Number(promptTokensMax) };
  };
  const text = { type: 'text', text: 'x' };
  const image = { type: 'image_url', image_url: { url: 'https://a.example/b' } };
  const file = { type: 'file', file: { file_data: 'a'.repeat(4_000) } };

  test('is its bound where it is a text', () => {
    const { counted: tokens, held } = counted([text]);
    expect(tokens).toBe(held);
  });

  test('is the bound of the text and of each image: the model\u2019s, else the default', () => {
    const plain = counted([text, text]).counted;
    expect(counted([text, image], { imageTokens: 500 })).toEqual({ counted: plain - 1 + 500, held: plain - 1 + 500 });
    expect(counted([text, image])).toEqual({ counted: plain - 1 + 1_445, held: 10_000 });
  });

  test('of a file goes by its bytes, while the hold takes the window', () => {
    const plain = counted([text, text]).counted;
    expect(counted([text, file])).toEqual({ counted: plain - 1 + 1_500, held: 10_000 });
    expect(counted([text, { type: 'input_audio', input_audio: { data: 'a'.repeat(4_000), format: 'mp3' } }])).toEqual({ counted: plain - 1 + 8, held: 10_000 });
    expect(counted([text, { type: 'file', file: { file_data: 'a'.repeat(100_000) } }])).toEqual({ counted: 10_000, held: 10_000 });
  });
});
