import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { completionTokens, promptTokens, tokenClasses, type TokenCounts } from './tokens.js';
import { completeReading, createUsageReader, readUsage, type UsageBounds, type UsageReading } from './usage.js';

/** The counts of a usage that says both sides. */
const countsOf = (usage: unknown): TokenCounts => {
  const { counts, prompt, completion } = readUsage(usage);
  expect([prompt, completion]).toEqual(['said', 'said']);
  return counts;
};

const max = Number.MAX_SAFE_INTEGER;
const bounds: UsageBounds = { promptTokensMax: 1_000, completionTokensMax: 400, tokensLimit: 128_000 };

const readAll = (usages: readonly unknown[], within: UsageBounds = bounds): UsageReading => {
  const reader = createUsageReader(within);
  for (const usage of usages) reader.observe(usage);
  return reader.read();
};

describe('a usage in the format of', () => {
  test.each<[string, object, TokenCounts]>([
    ['OpenAI: totals alone', { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 }, { input: 5, output: 7 }],
    ['OpenAI: explicit zeros, which are not missing', { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }, { input: 0, output: 0 }],
    ['OpenAI: null details', { prompt_tokens: 5, completion_tokens: 7, prompt_tokens_details: null, completion_tokens_details: null }, { input: 5, output: 7 }],
    ['OpenAI: cached tokens, within the prompt', { prompt_tokens: 100, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 64 } }, { input: 36, cached_read: 64, output: 1 }],
    ['OpenAI: a prompt that is cached whole', { prompt_tokens: 100, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 100 } }, { input: 0, cached_read: 100, output: 1 }],
    ['OpenAI: reasoning, within the answer', { prompt_tokens: 1, completion_tokens: 50, total_tokens: 51, completion_tokens_details: { reasoning_tokens: 40 } }, { input: 1, output: 10, reasoning: 40 }],
    [
      'OpenAI: audio on both sides',
      { prompt_tokens: 81, completion_tokens: 30, prompt_tokens_details: { audio_tokens: 69 }, completion_tokens_details: { audio_tokens: 20, text_tokens: 10 } },
      { input: 12, audio_in: 69, output: 10, audio_out: 20 },
    ],
    ['OpenAI: predicted tokens, rejected ones too', { prompt_tokens: 1, completion_tokens: 50, completion_tokens_details: { accepted_prediction_tokens: 20, rejected_prediction_tokens: 10 } }, { input: 1, output: 50 }],
    ['OpenAI Responses', { input_tokens: 4020, input_tokens_details: { cached_tokens: 4012 }, output_tokens: 9, output_tokens_details: { reasoning_tokens: 4 }, total_tokens: 4029 }, { input: 8, cached_read: 4012, output: 5, reasoning: 4 }],
    ['OpenRouter: cache writes', { prompt_tokens: 100, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 50, cache_write_tokens: 30 } }, { input: 20, cached_read: 50, cache_write_5m: 30, output: 1 }],
    ['LiteLLM: cache writes by lifetime', { prompt_tokens: 100, completion_tokens: 1, cache_creation_input_tokens: 30, prompt_tokens_details: { cache_creation_tokens: 30, cache_creation_token_details: { ephemeral_1h_input_tokens: 10, ephemeral_5m_input_tokens: 20 } } }, { input: 70, cache_write_1h: 10, cache_write_5m: 20, output: 1 }],
    ['Qwen: cache writes', { prompt_tokens: 100, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 0, cache_creation_input_tokens: 40, cache_creation: { ephemeral_5m_input_tokens: 40 } } }, { input: 60, cache_write_5m: 40, output: 1 }],
    ['DeepSeek: hits', { prompt_tokens: 100, completion_tokens: 1, prompt_cache_hit_tokens: 64, prompt_cache_miss_tokens: 36 }, { input: 36, cached_read: 64, output: 1 }],
    ['Moonshot: cached_tokens on top', { prompt_tokens: 100, completion_tokens: 1, cached_tokens: 64 }, { input: 36, cached_read: 64, output: 1 }],
    ['Mistral: a counter of reused tokens, which is no discount', { prompt_tokens: 100, completion_tokens: 1, num_cached_tokens: 64 }, { input: 100, output: 1 }],
    ['two at once: hits said twice', { prompt_tokens: 100, completion_tokens: 1, prompt_cache_hit_tokens: 64, prompt_tokens_details: { cached_tokens: 64 } }, { input: 36, cached_read: 64, output: 1 }],
    ['two at once, of which one is left at zero', { prompt_tokens: 25, input_tokens: 0, completion_tokens: 7, output_tokens: 0, total_tokens: 32 }, { input: 25, output: 7 }],
    ['xAI: reasoning beside the answer', { prompt_tokens: 10, completion_tokens: 5, total_tokens: 115, completion_tokens_details: { reasoning_tokens: 100 } }, { input: 10, output: 5, reasoning: 100 }],
    ['a reseller: an answer of nothing but reasoning', { completion_tokens: 0, prompt_tokens: 21, total_tokens: 81, completion_tokens_details: { reasoning_tokens: 60 } }, { input: 21, output: 0, reasoning: 60 }],
    ['a gateway: a cache beside the prompt', { prompt_tokens: 10, completion_tokens: 5, total_tokens: 1015, prompt_tokens_details: { cached_tokens: 1000 } }, { input: 10, cached_read: 1000, output: 5 }],
    ['a gateway: cache and reasoning, both beside', { prompt_tokens: 10, completion_tokens: 5, total_tokens: 66, prompt_tokens_details: { cached_tokens: 30 }, completion_tokens_details: { reasoning_tokens: 21 } }, { input: 10, cached_read: 30, output: 5, reasoning: 21 }],
    ["Gemini's OpenAI endpoint: hidden thoughts, which are not itemized", { prompt_tokens: 35, completion_tokens: 12, total_tokens: 109 }, { input: 35, output: 12 }],
    ['Gemini', { promptTokenCount: 294, candidatesTokenCount: 230, thoughtsTokenCount: 158, toolUsePromptTokenCount: 605, totalTokenCount: 1287 }, { input: 899, output: 230, reasoning: 158 }],
    ['Gemini: nothing but thoughts', { promptTokenCount: 279, thoughtsTokenCount: 31, totalTokenCount: 310 }, { input: 279, output: 0, reasoning: 31 }],
    ['Anthropic', { input_tokens: 16, cache_creation: { ephemeral_1h_input_tokens: 49, ephemeral_5m_input_tokens: 7000 }, cache_creation_input_tokens: 7049, cache_read_input_tokens: 13637, output_tokens: 344, output_tokens_details: { thinking_tokens: 33 } }, { input: 16, cached_read: 13637, cache_write_1h: 49, cache_write_5m: 7000, output: 311, reasoning: 33 }],
    ["a gateway: Anthropic's cache beside OpenAI's totals", { prompt_tokens: 25, completion_tokens: 206, total_tokens: 231, cache_creation_input_tokens: 1447 }, { input: 25, cache_write_5m: 1447, output: 206 }],
    ['new-api: the same in details', { prompt_tokens: 25, completion_tokens: 206, total_tokens: 231, prompt_tokens_details: { cached_tokens: 900, cached_creation_tokens: 100 }, claude_cache_creation_1_h_tokens: 40 }, { input: 25, cached_read: 900, cache_write_1h: 40, cache_write_5m: 60, output: 206 }],
    ['Bedrock', { inputTokens: 22, outputTokens: 13, totalTokens: 2527, cacheReadInputTokens: 0, cacheWriteInputTokens: 2492 }, { input: 22, cache_write_5m: 2492, output: 13 }],
    ['any: cached tokens of an image, once', { prompt_tokens: 100, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 80, image_tokens: 60 } }, { input: 0, cached_read: 80, image_in: 20, output: 1 }],
    ['any: an answer of no tokens that is left out', { prompt_tokens: 5, total_tokens: 5 }, { input: 5, output: 0 }],
    ['any: a prompt that is left out', { completion_tokens: 5, total_tokens: 8 }, { input: 3, output: 5 }],
    ['any: minus zero', { prompt_tokens: -0, completion_tokens: 1 }, { input: 0, output: 1 }],
    ['any: the largest safe integer', { prompt_tokens: max, completion_tokens: 0 }, { input: max, output: 0 }],
    ['any: numbers as texts', { prompt_tokens: '12', completion_tokens: '7', prompt_tokens_details: { cached_tokens: '5.0' } }, { input: 7, cached_read: 5, output: 7 }],
  ])('%s', (_name, usage, counts) => {
    const reading = readUsage(usage);
    expect(reading).toEqual({ counts, prompt: 'said', completion: 'said', ignored: [] });
    expect(Object.is(reading.counts.input, -0)).toBe(false);
  });
});

describe('a field that cannot be', () => {
  test.each<[string, object, TokenCounts]>([
    ['a negative total', { total_tokens: -1 }, { input: 50, output: 9 }],
    ['an inflated total', { total_tokens: 2 ** 60 }, { input: 50, output: 9 }],
    ['a total of text', { total_tokens: 'many' }, { input: 50, output: 9 }],
    ['a negative detail', { prompt_tokens_details: { cached_tokens: -5 } }, { input: 50, output: 9 }],
    ['a fraction in a detail', { completion_tokens_details: { reasoning_tokens: 0.5 } }, { input: 50, output: 9 }],
    ['a bad detail beside a good one', { prompt_tokens_details: { cached_tokens: 20, audio_tokens: null, image_tokens: NaN } }, { input: 30, cached_read: 20, output: 9 }],
    ['details that are a number', { prompt_tokens_details: 5 }, { input: 50, output: 9 }],
    ['details that are a list', { completion_tokens_details: [7] }, { input: 50, output: 9 }],
    ['a cache of 2⁶³ tokens', { cache_read_input_tokens: 2 ** 63 }, { input: 50, output: 9 }],
    ['more reasoning than answer', { completion_tokens_details: { reasoning_tokens: 12 } }, { input: 50, output: 0, reasoning: 9 }],
    ['more reasoning than answer, and a total without it', { total_tokens: 59, completion_tokens_details: { reasoning_tokens: 12 } }, { input: 50, output: 0, reasoning: 9 }],
    ['more cached than prompt', { total_tokens: 59, prompt_tokens_details: { cached_tokens: 60 } }, { input: 0, cached_read: 50, output: 9 }],
    ['a true instead of a count', { prompt_tokens_details: { cached_tokens: true } }, { input: 50, output: 9 }],
  ])('%s leaves the others as they are, and is named', (_name, fields, counts) => {
    const reading = readUsage({ prompt_tokens: 50, completion_tokens: 9, ...fields });
    expect(reading).toMatchObject({ counts, prompt: 'said', completion: 'said' });
    expect(reading.ignored).toHaveLength(1);
  });

  test.each<[string, unknown]>([['−1', -1], ['1.5', 1.5], ['2⁵³', max + 1], ['2⁶³', 2 ** 63], ['NaN', NaN], ['infinity', Infinity], ['"NaN"', 'NaN'], ['"1e3"', '1e3'], ['"-1"', '-1'], ['" 5"', ' 5'], ['""', ''], ['true', true], ['{}', {}], ['[5]', [5]]])(
    '%s as one side leaves the other side and its details',
    (_name, value) => {
      expect(readUsage({ prompt_tokens: value, completion_tokens: 9, total_tokens: 59, completion_tokens_details: { reasoning_tokens: 4 } })).toEqual({
        counts: { output: 5, reasoning: 4 }, prompt: 'missing', completion: 'said', ignored: ['prompt_tokens is no count of tokens'],
      });
      expect(readUsage({ prompt_tokens: 50, completion_tokens: value, total_tokens: 59, prompt_tokens_details: { cached_tokens: 20 } })).toEqual({
        counts: { input: 30, cached_read: 20 }, prompt: 'said', completion: 'missing', ignored: ['completion_tokens is no count of tokens'],
      });
    },
  );

  test.each([[null], [undefined], [{}], [{ prompt_tokens: null, completion_tokens: null }], [{ cost: 0 }]])('%p is missing', (usage) => {
    expect(readUsage(usage)).toEqual({ counts: {}, prompt: 'missing', completion: 'missing', ignored: [] });
  });

  test.each<[string, unknown]>([['a text', 'none'], ['a list', [1, 2]], ['a number', 7], ['a total below its part', { completion_tokens: 5, total_tokens: 4 }]])('%s does not say the prompt', (_name, usage) => {
    expect(readUsage(usage)).toMatchObject({ prompt: 'missing', ignored: [expect.any(String)] });
  });

  test('a prompt alone leaves the answer to be estimated', () => {
    expect(readUsage({ prompt_tokens: 5 })).toEqual({ counts: { input: 5 }, prompt: 'said', completion: 'missing', ignored: [] });
  });
});

describe('several usages of one answer', () => {
  const usage = (prompt: unknown, completion: unknown, more: object = {}): object => ({ prompt_tokens: prompt, completion_tokens: completion, ...more });

  test.each<[string, unknown[], TokenCounts]>([
    ['zeros after the counts erase nothing', [usage(10, 2), usage(0, 0, { total_tokens: 0 })], { input: 10, output: 2 }],
    ['zeros before the counts hide nothing', [usage(0, 0), usage(0, 0), usage(10, 2)], { input: 10, output: 2 }],
    ['the same twice counts once', [usage(10, 2), usage(10, 2)], { input: 10, output: 2 }],
    ['cumulative counts are not summed', [usage(10, 1), usage(10, 2), usage(10, 3)], { input: 10, output: 3 }],
    ["Anthropic's prompt at the start and answer at the end", [{ input_tokens: 10, cache_read_input_tokens: 90, output_tokens: 1 }, { output_tokens: 30 }], { input: 10, cached_read: 90, output: 30 }],
    ['details in another chunk than their total', [usage(100, 9), { prompt_tokens_details: { cached_tokens: 64 } }], { input: 36, cached_read: 64, output: 9 }],
    ['null and nonsense between them', [usage(10, 2), null, 'none', usage('?', -1)], { input: 10, output: 2 }],
    ['a count above the bound gives way to one within it', [usage(10, 2), usage(127_000, 50_000)], { input: 10, output: 2 }],
    ['a count above the bound gives way to a later one within it', [usage(127_000, 50_000), usage(10, 2)], { input: 10, output: 2 }],
    ['a count above the context window is not believed', [usage(10, 2), usage(10 ** 12, 10 ** 12)], { input: 10, output: 2 }],
    ['a count above the bound stands where none is within it: the hold caps its charge', [usage(0, 0), usage(2_000, 516), usage(3_000, 700)], { input: 2_000, output: 516 }],
  ])('%s', (_name, usages, counts) => {
    expect(readAll(usages)).toMatchObject({ counts, prompt: 'said', completion: 'said' });
  });

  test('a count above the context window alone leaves its side to be estimated', () => {
    expect(readAll([usage(10, 128_001)])).toMatchObject({ counts: { input: 10 }, completion: 'missing' });
  });

  test('are found in every place where vendors put them', () => {
    const places = [
      { usage: usage(10, 2) },
      { choices: [{ index: 0, delta: {}, usage: usage(10, 2) }] },
      { x_groq: { id: 'x', usage: usage(10, 2) } },
      { usageMetadata: { promptTokenCount: 10, candidatesTokenCount: 2 } },
    ];
    for (const place of places) {
      const reader = createUsageReader(bounds);
      reader.observeAnswer({ choices: [{ index: 0, delta: { content: 'a' } }], usage: null });
      reader.observeAnswer(place);
      reader.observeAnswer({ choices: [null, 'x'], x_groq: 5 });
      expect(reader.read()).toEqual({ counts: { input: 10, output: 2 }, prompt: 'said', completion: 'said', ignored: [] });
    }
  });

  test('an answer that went on after its last count has at least so many tokens', () => {
    const reader = createUsageReader(bounds);
    reader.observe(usage(10, 1), 5);
    expect(reader.read(5).completion).toBe('said');
    expect(reader.read(500)).toMatchObject({ counts: { input: 10, output: 1 }, completion: 'floor' });
    reader.observe(usage(10, 0), 500);
    expect(reader.read(500)).toMatchObject({ counts: { input: 10, output: 1 }, completion: 'said' });
  });
});

describe('of an answer that was cut', () => {
  const readCut = (...usages: object[]): UsageReading => {
    const reader = createUsageReader(bounds);
    for (const usage of usages) reader.observe(usage, 40);
    return reader.read(40, true);
  };
  const estimate = (): TokenCounts => ({ input: 44, output: 5 });

  test.each<[string, object[], TokenCounts, boolean]>([
    ['zeros in every chunk say nothing', [{ prompt_tokens: 0, completion_tokens: 0 }], { input: 44, output: 5 }, true],
    ['one token a chunk is no count', [{ prompt_tokens: 30, completion_tokens: 1 }, { prompt_tokens: 30, completion_tokens: 1 }], { input: 30, output: 5 }, true],
    ['counts above the estimate stand', [{ prompt_tokens: 30, completion_tokens: 900, completion_tokens_details: { reasoning_tokens: 890 } }], { input: 30, output: 10, reasoning: 890 }, false],
    ['a prompt alone stands', [{ prompt_tokens: 30 }], { input: 30, output: 5 }, true],
  ])('%s', (_name, usages, counts, estimated) => {
    expect(completeReading(readCut(...usages), estimate)).toEqual({ counts, estimated });
  });
});

describe('a reading is completed by an estimate', () => {
  const estimate = (): TokenCounts => ({ input: 44, output: 5, reasoning: 2 });
  const never = (): TokenCounts => {
    throw new Error('nothing is missing');
  };
  test.each<[string, object, TokenCounts, boolean]>([
    ['of the prompt', { completion_tokens: 9, completion_tokens_details: { reasoning_tokens: 4 } }, { input: 44, output: 5, reasoning: 4 }, true],
    ['of the answer', { prompt_tokens: 50, prompt_tokens_details: { cached_tokens: 20 } }, { input: 30, cached_read: 20, output: 5, reasoning: 2 }, true],
    ['of both', {}, { input: 44, output: 5, reasoning: 2 }, true],
  ])('%s alone, whatever the other side says', (_name, usage, counts, estimated) => {
    expect(completeReading(readUsage(usage), estimate)).toEqual({ counts, estimated });
  });

  test('that is not made where nothing is missing', () => {
    expect(completeReading(readUsage({ prompt_tokens: 1, completion_tokens: 0 }), never)).toEqual({ counts: { input: 1, output: 0 }, estimated: false });
  });

  test.each([[3, { input: 10, output: 5, reasoning: 2 }, true], [8, { input: 10, output: 8 }, false]])('where the answer went on after a count of %d, by the greater', (said, counts, estimated) => {
    const reader = createUsageReader(bounds);
    reader.observe({ prompt_tokens: 10, completion_tokens: said }, 20);
    expect(completeReading(reader.read(40), estimate)).toEqual({ counts, estimated });
  });
});

describe('whatever a vendor writes', () => {
  const count = fc.oneof({ weight: 20, arbitrary: fc.nat(50) }, { weight: 2, arbitrary: fc.constantFrom<unknown>(null, undefined, -1, 0.5, NaN, '7', 'x', max, 2 ** 53, {}, []) });
  const details = fc.record({ cached_tokens: count, cache_write_tokens: count, audio_tokens: count, image_tokens: count, reasoning_tokens: count }, { requiredKeys: [] });
  const anyUsage = fc.record(
    {
      prompt_tokens: count, completion_tokens: count, total_tokens: count, prompt_tokens_details: details, completion_tokens_details: details,
      cached_tokens: count, cache_read_input_tokens: count, cache_creation_input_tokens: count, input_tokens: count, output_tokens: count, thoughtsTokenCount: count,
    },
    { requiredKeys: [] },
  );
  const isCount = (tokens: unknown): boolean => tokens === undefined || (Number.isSafeInteger(tokens) && (tokens as number) >= 0 && !Object.is(tokens, -0));

  test('the classes are counts within the limit, and a side is either said with its plain class or absent', () => {
    fc.assert(
      fc.property(fc.array(anyUsage, { maxLength: 4 }), (usages) => {
        const { counts, prompt, completion } = readAll(usages, { promptTokensMax: 60, completionTokensMax: 40, tokensLimit: 100 });
        const isSide = (isSaid: boolean, plain: number | undefined, sum: number): boolean => (isSaid ? plain !== undefined && sum <= 100 : plain === undefined && sum === 0);
        return (
          tokenClasses.every((name) => isCount(counts[name])) &&
          isSide(prompt === 'said', counts.input, promptTokens(counts)) &&
          isSide(completion === 'said', counts.output, completionTokens(counts))
        );
      }),
      { numRuns: 5000 },
    );
  });

  test('OpenAI’s totals are never less than what the vendor said, and never more where no total allows it', () => {
    const openAi = fc.record({ prompt_tokens: fc.nat(50), completion_tokens: fc.nat(50), prompt_tokens_details: details, completion_tokens_details: details }, { requiredKeys: ['prompt_tokens', 'completion_tokens'] });
    fc.assert(
      fc.property(openAi, (usage) => {
        const counts = countsOf(usage);
        expect([promptTokens(counts), completionTokens(counts)]).toEqual([usage.prompt_tokens, usage.completion_tokens]);
      }),
      { numRuns: 2000 },
    );
  });

  test('the order of chunks and their repetition change nothing', () => {
    fc.assert(
      fc.property(fc.array(anyUsage, { minLength: 1, maxLength: 4 }), (usages) => {
        const { counts } = readAll(usages);
        expect(readAll([...usages].reverse()).counts).toEqual(counts);
        expect(readAll([...usages, ...usages]).counts).toEqual(counts);
      }),
      { numRuns: 2000 },
    );
  });
});

type Recorded = { format: string; model: string; body: { usage?: unknown; usageMetadata?: unknown }; counts: Record<string, number> };
const recordedPath = join(process.env['KILOTOKEN_FIXTURES'] ?? '/nonexistent', 'usage-bodies.json');
const recordedBodies = existsSync(recordedPath) ? test : test.skip;

describe('recorded bodies of vendors', () => {
  const formats = ['chat', 'responses', 'anthropic', 'bedrock', 'gemini'];
  recordedBodies('every recorded body in five formats adds up to the counts that it means', () => {
    const recorded = (JSON.parse(readFileSync(recordedPath, 'utf8')) as Recorded[]).filter(({ format }) => formats.includes(format));
    for (const format of formats) expect(recorded.filter((body) => body.format === format).length).toBeGreaterThan(100);
    for (const { format, body, counts } of recorded) {
      const reader = createUsageReader({ promptTokensMax: max, completionTokensMax: max, tokensLimit: max });
      reader.observeAnswer(body);
      const read = reader.read().counts;
      expect(promptTokens(read)).toBe(counts['input_tokens'] ?? 0);
      expect(completionTokens(read)).toBe(counts['output_tokens'] ?? 0);
      expect(read.reasoning ?? 0).toBe(counts['output_reasoning_tokens'] ?? 0);
      expect(read.cached_read ?? 0).toBe(counts['cache_read_tokens'] ?? 0);
      expect((read.cache_write_5m ?? 0) + (read.cache_write_1h ?? 0)).toBe(counts['cache_write_tokens'] ?? 0);
      // Gemini lists audio by modality, which is not read: it stays in the input.
      if (format !== 'gemini') expect(read.audio_in ?? 0).toBe(counts['input_audio_tokens'] ?? 0);
    }
  });
});
