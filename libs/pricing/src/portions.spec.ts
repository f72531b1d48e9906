import { describe, expect, it } from '@jest/globals';
import { completionTokens, promptTokens, type TokenClass, tokenClasses, type TokenCounts } from '@kilotoken/contracts';
import { formatMoney, moneyRounding, parseMoney, roundingModes, type Rounding } from '@kilotoken/money';
import fc from 'fast-check';
import type { Rate } from './price.js';
import { coveredTokens, ratePortions, type Payer } from './portions.js';
import { rateUsage, worstCaseOf } from './pricing.js';

const rates = (table: Partial<Record<TokenClass, string | null>>, per = 1n): Map<TokenClass, Rate> =>
  new Map(Object.entries(table).map(([name, amount]) => [name as TokenClass, { amount: amount === null ? null : parseMoney(amount!), per }]));
const payer = (hold: string, table: Partial<Record<TokenClass, string | null>>, per = 1n, rounding: Rounding = moneyRounding): Payer => ({ rates: rates(table, per), rounding, hold: parseMoney(hold) });
const pack = (hold: string): Payer => payer(hold, { input: '1', output: '4', cached_read: '0.1' });
const usd = payer('10', { input: '0.15', output: '0.60' }, 1_000_000n);
const tokensOf = (counts: TokenCounts): number => promptTokens(counts) + completionTokens(counts);
const shown = (counts: TokenCounts, ...payers: Payer[]): string[] =>
  ratePortions(counts, payers).map(({ counts: paid, rated, charge }) => `${tokensOf(paid)} tokens ${formatMoney(rated)}${charge === rated ? '' : ` of which ${formatMoney(charge)}`}`);

describe('portions', () => {
  it('a pack pays whole tokens of each line and money pays the rest', () => {
    expect(shown({ input: 400, output: 300 }, pack('1000'), usd)).toEqual(['550 tokens 1000', '150 tokens 0.00009']);
  });

  it('a pack that covers the request leaves nothing to money', () => {
    expect(shown({ input: 10, cached_read: 90, output: 5 }, pack('1000'), usd)).toEqual(['105 tokens 39', '0 tokens 0']);
  });

  it('an empty pack leaves everything to money', () => {
    expect(shown({ input: 400, output: 300 }, pack('0'), usd)).toEqual(['0 tokens 0', '700 tokens 0.00024']);
  });

  it('a remainder too small for a token of one class still pays a token of a cheaper class', () => {
    expect(shown({ cached_read: 50, output: 1 }, pack('3.9'), usd)[0]).toBe('39 tokens 3.9');
  });

  it('a class outside the scope of a pack is paid by the next unit', () => {
    expect(shown({ input: 10, output: 10 }, payer('1000', { input: '1', output: null }), usd)).toEqual(['10 tokens 10', '10 tokens 0.000006']);
  });

  it('the last payer is charged its hold at most, and rated in full', () => {
    expect(shown({ input: 10 }, pack('4'), payer('5', { input: '1', output: '1' }))).toEqual(['4 tokens 4', '6 tokens 6 of which 5']);
  });

  it('the last payer also spends the part of a token that its unit left earlier in the burn order', () => {
    const dollars = (hold: string): Payer => ({ ...payer(hold, { input: '2' }), unit: 'USD' });
    const tokens = { ...payer('3', { input: '1' }), unit: 'pack' };
    expect(shown({ input: 10 }, dollars('5'), tokens, dollars('9'))).toEqual(['2 tokens 4', '3 tokens 3', '5 tokens 10']);
    expect(shown({ input: 11 }, dollars('5'), tokens, dollars('9'))).toEqual(['2 tokens 4', '3 tokens 3', '6 tokens 12 of which 10']);
    expect(shown({ input: 10 }, dollars('5'), tokens, { ...dollars('9'), unit: 'EUR' })[2]).toBe('5 tokens 10 of which 9');
  });

  it('a count that no payer has a rate for is an error, never free', () => {
    expect(() => ratePortions({ output: 1 }, [payer('5', { input: '1', output: null })])).toThrow('no price for output');
  });

  it.each([[-1], [1.5], [2 ** 53], ['many']])('%j is no count', (count) => {
    expect(() => ratePortions({ input: count as number }, [usd])).toThrow('no count of input');
  });
});

const anyRounding = fc.record({ decimals: fc.integer({ min: 0, max: 12 }), mode: fc.constantFrom(...roundingModes) });
const anyRate = fc.record({ amount: fc.bigInt(0n, 10n ** 13n), per: fc.constantFrom(1n, 3n, 7n, 1000n, 1_000_000n) });
const anyRates = fc.record({ input: anyRate, cached_read: anyRate, output: anyRate, reasoning: anyRate });
const anyCounts = fc.record({ input: fc.nat(5_000), cached_read: fc.nat(5_000), output: fc.nat(5_000), reasoning: fc.nat(500) });
const anyPayer = fc.record({ rates: anyRates, rounding: anyRounding, hold: fc.bigInt(0n, 10n ** 17n) }).map((given) => ({ ...given, rates: new Map<TokenClass, Rate>(Object.entries(given.rates) as [TokenClass, Rate][]) }));

describe('any units, rates and rounding', () => {
  it('every token is paid once, and no unit but the last is rated above its hold', () => {
    fc.assert(
      fc.property(anyCounts, fc.array(anyPayer, { minLength: 1, maxLength: 4 }), (counts, payers) => {
        const portions = ratePortions(counts, payers);
        expect(portions.reduce((sum, { counts: paid }) => sum + tokensOf(paid), 0)).toBe(promptTokens(counts) + completionTokens(counts));
        portions.forEach(({ rated, charge }, index) => {
          expect(charge <= payers[index]!.hold).toBe(true);
          if (index < payers.length - 1) expect(charge).toBe(rated);
        });
      }),
    );
  });

  it('the last unit is rated within its worst case for the whole request, whatever the others left over', () => {
    fc.assert(
      fc.property(anyCounts, fc.array(anyPayer, { minLength: 1, maxLength: 3 }), anyPayer, (counts, before, { rates: lastRates, rounding }) => {
        const hold = worstCaseOf(tokenClasses.filter((name) => lastRates.has(name)), lastRates, rounding).hold(BigInt(promptTokens(counts)), BigInt(completionTokens(counts)));
        const last = ratePortions(counts, [...before, { rates: lastRates, rounding, hold }]).at(-1)!;
        expect(last.rated <= hold).toBe(true);
      }),
    );
  });

  it('an affordable amount of output costs no more than its budget', () => {
    fc.assert(
      fc.property(anyRates, anyRounding, fc.nat(10_000), fc.bigInt(0n, 10n ** 18n), (table, rounding, prompt, budget) => {
        const book = new Map(Object.entries(table) as [TokenClass, Rate][]);
        const worst = worstCaseOf([...book.keys()], book, rounding);
        const output = worst.affordableOutput(BigInt(prompt), budget);
        fc.pre(output > 0n && output < BigInt(Number.MAX_SAFE_INTEGER));
        expect(worst.hold(BigInt(prompt), output) <= budget).toBe(true);
      }),
    );
  });

  it('one payer in a currency is rated as a price version rates it', () => {
    fc.assert(
      fc.property(anyCounts, anyPayer, (counts, { rates: book }) => {
        const { total } = rateUsage(counts, book);
        expect(ratePortions(counts, [{ rates: book, rounding: moneyRounding, hold: total }])).toMatchObject([{ rated: total, charge: total }]);
      }),
    );
  });

  it('an amount covers a count exactly when it covers no token more', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 40 }), anyRate, anyRounding, fc.bigInt(0n, 10n ** 20n), (tokens, rate, rounding, left) => {
        const covered = coveredTokens(tokens, rate, rounding, left);
        const cost = (count: number): bigint => ratePortions({ input: count }, [{ rates: new Map([['input', rate]]), rounding, hold: 0n }])[0]!.rated;
        expect(covered === 0 || cost(covered) <= left).toBe(true);
        expect(covered === tokens || cost(covered + 1) > left).toBe(true);
      }),
    );
  });
});
