import { describe, expect, test } from '@jest/globals';
import { formatMoney, moneyMax, parseMoney } from '@kilotoken/money';
import fc from 'fast-check';
import { parentClass, readUsage, tokenClasses, type TokenCounts } from '@kilotoken/contracts';
import { usageText } from './usage-text.js';

interface Told {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details: Record<string, number> & { cache_creation?: Record<string, number> };
  completion_tokens_details: Record<string, number>;
}

/** Takes the text apart as a client would, without any code that made it. */
const classesOf = (told: Told): TokenCounts => {
  const { cached_tokens: cached, cache_write_tokens: written = 0, audio_tokens: audioIn, image_tokens: imageIn = 0, cache_creation: byLifetime } = told.prompt_tokens_details;
  const { reasoning_tokens: reasoning, audio_tokens: audioOut, image_tokens: imageOut = 0 } = told.completion_tokens_details;
  const hour = byLifetime?.['ephemeral_1h_input_tokens'] ?? 0;
  return {
    input: told.prompt_tokens - cached! - written - audioIn! - imageIn,
    cached_read: cached!,
    cache_write_5m: byLifetime?.['ephemeral_5m_input_tokens'] ?? written - hour,
    cache_write_1h: hour,
    audio_in: audioIn!,
    image_in: imageIn,
    output: told.completion_tokens - reasoning! - audioOut! - imageOut,
    reasoning: reasoning!,
    audio_out: audioOut!,
    image_out: imageOut,
  };
};

const full = (counts: TokenCounts): TokenCounts => Object.fromEntries(tokenClasses.map((name) => [name, counts[name] ?? 0]));
const anyCounts = fc.record(Object.fromEntries(tokenClasses.map((name) => [name, fc.oneof(fc.constant(0), fc.nat(1_000_000))])) as Record<string, fc.Arbitrary<number>>, { requiredKeys: [] });

describe('the usage that a client is told', () => {
  test('is made of the counts and the charge, and is valid JSON', () => {
    const text = usageText({ counts: { input: 21, output: 0, reasoning: 60 }, estimated: false, charges: [{ unit: 'USD', amount: parseMoney('0.000123') }] });
    expect(text).toContain('"cost":0.000123,');
    expect(JSON.parse(text)).toEqual({
      prompt_tokens: 21,
      completion_tokens: 60,
      total_tokens: 81,
      prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 60, audio_tokens: 0 },
      cost: 0.000123,
      cost_currency: 'USD',
      kilotoken: { charges: [{ unit: 'USD', amount: '0.000123' }] },
    });
  });

  test('says where counts are estimated', () => {
    expect(JSON.parse(usageText({ counts: {}, estimated: true, charges: [] }))).toMatchObject({ total_tokens: 0, estimated: true, cost: 0, kilotoken: { charges: [] } });
  });

  test('gives what packages paid as charges of their own, and the money alone as cost', () => {
    const charges = [{ unit: 'qwen-pack', amount: parseMoney('1200') }, { unit: 'EUR', amount: parseMoney('0.5') }];
    expect(JSON.parse(usageText({ counts: { input: 1 }, estimated: false, charges }))).toMatchObject({
      cost: 0.5, cost_currency: 'EUR', kilotoken: { charges: [{ unit: 'qwen-pack', amount: '1200' }, { unit: 'EUR', amount: '0.5' }] },
    });
    const paid = JSON.parse(usageText({ counts: { input: 1 }, estimated: false, charges: charges.slice(0, 1) })) as object;
    expect(paid).toMatchObject({ cost: 0 });
    expect(paid).not.toHaveProperty('cost_currency');
  });

  test('says every class that is charged, and our own reader reads the same', () => {
    fc.assert(
      fc.property(anyCounts, fc.boolean(), (counts, estimated) => {
        const told = JSON.parse(usageText({ counts, estimated, charges: [] })) as Told;
        expect(full(classesOf(told))).toEqual(full(counts));
        for (const side of ['input', 'output'] as const) {
          const sum = tokenClasses.reduce((total, name) => total + (parentClass[name] === side ? (counts[name] ?? 0) : 0), 0);
          expect(side === 'input' ? told.prompt_tokens : told.completion_tokens).toBe(sum);
        }
        expect(told.total_tokens).toBe(Object.values(full(counts)).reduce((sum, tokens) => sum + tokens, 0));
        expect(full(readUsage(told).counts)).toEqual(full(counts));
      }),
    );
  });

  test('prints the cost exactly, to the last of twelve decimals of any amount', () => {
    const amounts = fc.oneof(fc.bigInt({ min: 0n, max: 10n ** 13n }), fc.bigInt({ min: 0n, max: moneyMax }));
    fc.assert(
      fc.property(amounts, (amount) => {
        const text = usageText({ counts: { input: 1 }, estimated: false, charges: [{ unit: 'USD', amount }] });
        const [, number] = /"cost":([^,]+),/.exec(text)!;
        // A number of JSON: no leading zeros, no exponent that a reader of decimals could lose digits in.
        expect(number).toMatch(/^(0|[1-9]\d*)(\.\d{1,12})?$/);
        expect(parseMoney(number!)).toBe(amount);
        expect((JSON.parse(text) as { cost: unknown }).cost).toBe(Number(formatMoney(amount)));
      }),
    );
  });
});
