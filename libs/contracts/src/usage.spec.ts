import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { completionTokens, promptTokens, tokenClasses, type TokenCounts } from './tokens.js';
import { readOpenAiUsage } from './usage.js';

const countsOf = (usage: unknown): TokenCounts => {
  const reading = readOpenAiUsage(usage);
  if ('counts' in reading) return reading.counts;
  throw new Error(JSON.stringify(reading));
};

const max = Number.MAX_SAFE_INTEGER;

describe('counts', () => {
  test.each<[string, object, TokenCounts]>([
    ['nothing but totals', { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 }, { input: 5, output: 7 }],
    ['explicit zeros, which are not missing', { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }, { input: 0, output: 0 }],
    ['null details', { prompt_tokens: 5, completion_tokens: 7, prompt_tokens_details: null, completion_tokens_details: null }, { input: 5, output: 7 }],
    ['cached tokens, inside the prompt', { prompt_tokens: 100, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 64 } }, { input: 36, cached_read: 64, output: 1 }],
    ['a prompt that is cached whole', { prompt_tokens: 100, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 100 } }, { input: 0, cached_read: 100, output: 1 }],
    ['reasoning, inside the answer', { prompt_tokens: 1, completion_tokens: 50, total_tokens: 51, completion_tokens_details: { reasoning_tokens: 40 } }, { input: 1, output: 10, reasoning: 40 }],
    [
      'audio on both sides',
      { prompt_tokens: 81, completion_tokens: 30, prompt_tokens_details: { audio_tokens: 69 }, completion_tokens_details: { audio_tokens: 20, text_tokens: 10 } },
      { input: 12, audio_in: 69, output: 10, audio_out: 20 },
    ],
    ['predicted tokens, rejected ones too', { prompt_tokens: 1, completion_tokens: 50, completion_tokens_details: { accepted_prediction_tokens: 20, rejected_prediction_tokens: 10 } }, { input: 1, output: 50 }],
    ["OpenAI's and OpenRouter's cache writes", { prompt_tokens: 100, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 50, cache_write_tokens: 30 } }, { input: 20, cached_read: 50, cache_write_5m: 30, output: 1 }],
    ["LiteLLM's cache writes by lifetime", { prompt_tokens: 100, completion_tokens: 1, cache_creation_input_tokens: 30, prompt_tokens_details: { cache_creation_tokens: 30, cache_creation_token_details: { ephemeral_1h_input_tokens: 10, ephemeral_5m_input_tokens: 20 } } }, { input: 70, cache_write_1h: 10, cache_write_5m: 20, output: 1 }],
    ["Qwen's cache writes", { prompt_tokens: 100, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 0, cache_creation_input_tokens: 40, cache_creation: { ephemeral_5m_input_tokens: 40 } } }, { input: 60, cache_write_5m: 40, output: 1 }],
    ["DeepSeek's hits", { prompt_tokens: 100, completion_tokens: 1, prompt_cache_hit_tokens: 64, prompt_cache_miss_tokens: 36 }, { input: 36, cached_read: 64, output: 1 }],
    ["Moonshot's cached_tokens on top", { prompt_tokens: 100, completion_tokens: 1, cached_tokens: 64 }, { input: 36, cached_read: 64, output: 1 }],
    ["Mistral's counter of reused tokens, which is no discount", { prompt_tokens: 100, completion_tokens: 1, num_cached_tokens: 64 }, { input: 100, output: 1 }],
    ['the same hits said twice', { prompt_tokens: 100, completion_tokens: 1, prompt_cache_hit_tokens: 64, prompt_tokens_details: { cached_tokens: 64 } }, { input: 36, cached_read: 64, output: 1 }],
    ["xAI's reasoning, beside the answer", { prompt_tokens: 10, completion_tokens: 5, total_tokens: 115, completion_tokens_details: { reasoning_tokens: 100 } }, { input: 10, output: 5, reasoning: 100 }],
    ['a cache beside the prompt', { prompt_tokens: 10, completion_tokens: 5, total_tokens: 1015, prompt_tokens_details: { cached_tokens: 1000 } }, { input: 10, cached_read: 1000, output: 5 }],
    ['cache and reasoning, both beside', { prompt_tokens: 10, completion_tokens: 5, total_tokens: 66, prompt_tokens_details: { cached_tokens: 30 }, completion_tokens_details: { reasoning_tokens: 21 } }, { input: 10, cached_read: 30, output: 5, reasoning: 21 }],
    ["Gemini's total with hidden thoughts, which are not itemized", { prompt_tokens: 35, completion_tokens: 12, total_tokens: 109 }, { input: 35, output: 12 }],
    ['cached tokens of an image, once', { prompt_tokens: 100, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 80, image_tokens: 60 } }, { input: 0, cached_read: 80, image_in: 20, output: 1 }],
    ['an answer of no tokens that is left out', { prompt_tokens: 5, total_tokens: 5 }, { input: 5, output: 0 }],
    ['minus zero', { prompt_tokens: -0, completion_tokens: 1 }, { input: 0, output: 1 }],
    ['the largest safe integer', { prompt_tokens: max, completion_tokens: 0 }, { input: max, output: 0 }],
  ])('%s', (_name, usage, counts) => {
    expect(countsOf(usage)).toEqual(counts);
    expect(Object.is(countsOf(usage).input, -0)).toBe(false);
  });

  test.each([[null], [undefined], [{}], [{ prompt_tokens: null, completion_tokens: null }], [{ cost: 0 }]])('%p is missing', (usage) => {
    expect(readOpenAiUsage(usage)).toEqual({ missing: true });
  });

  test.each<[string, unknown]>([
    ['a text', 'none'],
    ['an array', [1, 2]],
    ['a negative count', { prompt_tokens: -1, completion_tokens: 1 }],
    ['a fraction', { prompt_tokens: 1.5, completion_tokens: 1 }],
    ['a count above 2⁵³−1', { prompt_tokens: max + 1, completion_tokens: 1 }],
    ['NaN', { prompt_tokens: NaN, completion_tokens: 1 }],
    ['infinity', { prompt_tokens: 1, completion_tokens: Infinity }],
    ['a number as text', { prompt_tokens: '5', completion_tokens: 1 }],
    ['a truth', { prompt_tokens: 5, completion_tokens: true }],
    ['a negative detail', { prompt_tokens: 5, completion_tokens: 1, prompt_tokens_details: { cached_tokens: -5 } }],
    ['a fraction in a detail', { prompt_tokens: 5, completion_tokens: 1, completion_tokens_details: { reasoning_tokens: 0.5 } }],
    ['details that are a number', { prompt_tokens: 5, completion_tokens: 1, prompt_tokens_details: 5 }],
    ['more cached than prompt', { prompt_tokens: 5, completion_tokens: 1, total_tokens: 6, prompt_tokens_details: { cached_tokens: 6 } }],
    ['more reasoning than answer', { prompt_tokens: 5, completion_tokens: 1, total_tokens: 6, completion_tokens_details: { reasoning_tokens: 2 } }],
    ['a prompt without an answer or a total', { prompt_tokens: 5 }],
    ['a total below its part', { completion_tokens: 5, total_tokens: 4 }],
    ['an inflated total', { prompt_tokens: 5, completion_tokens: 1, total_tokens: 2 ** 60 }],
  ])('%s is invalid', (_name, usage) => {
    expect(readOpenAiUsage(usage)).toEqual({ invalid: expect.any(String) });
  });

  test('whatever a vendor writes, the classes are safe integers ≥ 0 that add up to its totals, or nothing is read', () => {
    const count = fc.oneof({ weight: 20, arbitrary: fc.nat(50) }, { weight: 1, arbitrary: fc.constantFrom<unknown>(null, undefined, -1, 0.5, NaN, '7', max, 2 ** 53, {}, []) });
    const details = fc.record(
      { cached_tokens: count, cache_write_tokens: count, audio_tokens: count, image_tokens: count, reasoning_tokens: count },
      { requiredKeys: [] },
    );
    const usage = fc.record(
      { prompt_tokens: count, completion_tokens: count, total_tokens: count, prompt_tokens_details: details, completion_tokens_details: details, cached_tokens: count },
      { requiredKeys: ['prompt_tokens', 'completion_tokens'] },
    );
    let read = 0;
    fc.assert(
      fc.property(usage, (value) => {
        const reading = readOpenAiUsage(value);
        if (!('counts' in reading)) return;
        read++;
        for (const name of tokenClasses) {
          const tokens = reading.counts[name] ?? 0;
          expect(Number.isSafeInteger(tokens) && tokens >= 0).toBe(true);
        }
        expect(promptTokens(reading.counts)).toBeGreaterThanOrEqual(Number(value.prompt_tokens ?? 0));
        expect(completionTokens(reading.counts)).toBeGreaterThanOrEqual(Number(value.completion_tokens ?? 0));
        if (value.total_tokens === undefined) expect(promptTokens(reading.counts)).toBe(value.prompt_tokens);
      }),
      { numRuns: 5000 },
    );
    expect(read).toBeGreaterThan(100);
  });
});

type Recorded = { format: string; model: string; body: { usage?: unknown }; counts: Record<string, number> };
const recordedPath = join(process.env['KILOTOKEN_FIXTURES'] ?? '/nonexistent', 'usage-bodies.json');
const recordedBodies = existsSync(recordedPath) ? test : test.skip;

describe('recorded bodies of vendors', () => {
  recordedBodies('every recorded body in chat format adds up to the counts that it means', () => {
    const recorded = (JSON.parse(readFileSync(recordedPath, 'utf8')) as Recorded[]).filter(({ format }) => format === 'chat');
    expect(recorded.length).toBeGreaterThan(100);
    for (const { body, counts } of recorded) {
      const read = countsOf(body.usage);
      expect(promptTokens(read)).toBe(counts['input_tokens'] ?? 0);
      expect(completionTokens(read)).toBe(counts['output_tokens'] ?? 0);
      expect(read.reasoning ?? 0).toBe(counts['output_reasoning_tokens'] ?? 0);
      expect(read.cached_read ?? 0).toBe(counts['cache_read_tokens'] ?? 0);
      expect(read.cache_write_5m ?? 0).toBe(counts['cache_write_tokens'] ?? 0);
      expect(read.audio_in ?? 0).toBe(counts['input_audio_tokens'] ?? 0);
    }
  });
});
