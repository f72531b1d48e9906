import { describe, expect, test } from '@jest/globals';
import { completionTokens, promptTokens, type TokenClass, tokenClasses, type TokenCounts } from '@kilotoken/contracts';
import { formatMoney, parseMoney } from '@kilotoken/money';
import fc from 'fast-check';
import type { Rate } from './price.js';
import { foldUndeclared, priceAt, rateUsage, unpricedClasses, worstCaseOf } from './pricing.js';

const rates = (table: Partial<Record<TokenClass, string | null>>, per = 1_000_000n): Map<TokenClass, Rate> =>
  new Map(Object.entries(table).map(([name, amount]) => [name as TokenClass, { amount: amount === null ? null : parseMoney(amount!), per }]));

describe('rating', () => {
  test.each<[string, TokenCounts, Partial<Record<TokenClass, string>>, string]>([
    ['input and output', { input: 1200, output: 300 }, { input: '0.15', output: '0.60' }, '0.00036'],
    ['one token of a price with nine decimals', { input: 1 }, { input: '0.0375', output: '1' }, '0.0000000375'],
    ['cached reads at their own price, not as input too', { input: 10, cached_read: 90 }, { input: '1', cached_read: '0.1', output: '1' }, '0.000019'],
    ['a class without a rate of its own at its parent', { reasoning: 10 }, { input: '1', output: '2' }, '0.00002'],
    ['nothing for nothing', {}, { input: '1', output: '2' }, '0'],
    ['zero is free, not missing', { input: 5 }, { input: '0', output: '2' }, '0'],
  ])('%s', (_, counts, table, total) => expect(formatMoney(rateUsage(counts, rates(table)).total)).toBe(total));

  test('a counted class without a price is an error, never a free answer', () => {
    expect(() => rateUsage({ output: 1 }, rates({ input: '1', output: null }))).toThrow(RangeError);
    expect(unpricedClasses(['input', 'cached_read', 'output'], rates({ input: '1', output: null }))).toEqual(['cached_read', 'output']);
  });

  test('what a lane did not declare is counted as its parent, once', () => {
    expect(foldUndeclared({ input: 3, cached_read: 4, output: 5, reasoning: 6 }, new Set(['input', 'output', 'reasoning']))).toEqual({
      counts: { input: 7, output: 5, reasoning: 6 },
      undeclared: ['cached_read'],
    });
  });

  test('the version in force is the latest that has begun', () => {
    const version = (id: string, effectiveAtMs: number) => ({ id, currency: 'USD', effectiveAtMs, rates: new Map() });
    const versions = [version('next', 300), version('now', 200), version('old', 100)];
    expect(priceAt(versions, 250)?.id).toBe('now');
    expect(priceAt(versions, 300)?.id).toBe('next');
    expect(priceAt(versions, 99)).toBeNull();
  });
});

describe('the worst case', () => {
  const anyRates = fc.record({
    input: fc.bigInt(0n, 10n ** 14n),
    cached_read: fc.bigInt(0n, 10n ** 14n),
    cache_write_5m: fc.bigInt(0n, 10n ** 14n),
    output: fc.bigInt(0n, 10n ** 14n),
    reasoning: fc.bigInt(0n, 10n ** 14n),
    per: fc.constantFrom(1n, 3n, 7n, 1000n, 1_000_000n),
  });
  const anyCounts = fc.record(Object.fromEntries(tokenClasses.slice(0, 8).map((name) => [name, fc.nat(200_000)])) as Record<TokenClass, fc.Arbitrary<number>>);

  test('no mix of classes within the bounds is rated above the hold', () => {
    fc.assert(
      fc.property(anyRates, anyCounts, ({ per, ...amounts }, anyMix) => {
        const book = new Map(Object.entries(amounts).map(([name, amount]) => [name as TokenClass, { amount, per }]));
        const declared = new Set(book.keys());
        const { counts } = foldUndeclared(anyMix, declared);
        const hold = worstCaseOf(declared, book).hold(BigInt(promptTokens(counts)), BigInt(completionTokens(counts)));
        return rateUsage(counts, book).total <= hold;
      }),
      { numRuns: 500 },
    );
  });

  test('what is affordable fits in the budget, and one token more does not', () => {
    fc.assert(
      fc.property(anyRates, fc.bigInt(0n, 100_000n), fc.bigInt(0n, 10n ** 16n), ({ per, ...amounts }, prompt, budget) => {
        fc.pre(amounts.output > 0n);
        const worst = worstCaseOf(Object.keys(amounts) as TokenClass[], new Map(Object.entries(amounts).map(([name, amount]) => [name as TokenClass, { amount, per }])));
        const tokens = worst.affordableOutput(prompt, budget);
        return (tokens === 0n || worst.hold(prompt, tokens) <= budget) && (worst.hold(prompt, 0n) > budget || worst.hold(prompt, tokens + 1n) > budget);
      }),
      { numRuns: 500 },
    );
  });
});
