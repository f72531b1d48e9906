import { describe, expect, it } from '@jest/globals';
import { tokenClasses, type TokenClass, type TokenCounts } from '@kilotoken/contracts';
import { parseMoney, type Money } from '@kilotoken/money';
import fc from 'fast-check';
import { ratePortions } from '../portions.js';
import { closePeriods } from './close.js';
import { compileBook } from './compile.js';
import { createCounters } from './counters.js';
import { one } from './quantity.js';
import { drawFrom, randomBook } from './random-book.js';
import { rateUsage } from './rate.js';
import type { RatableUsage } from './rated-usage.js';
import { bookOf, linesOf, usageOf } from './worked-example.js';

const sumOf = (lines: readonly { readonly amount: Money }[]): Money => lines.reduce((sum, { amount }) => sum + amount, 0n);
const april = Date.parse('2026-04-01T00:00:00Z');
const runs = { seed: 11, numRuns: 100 };

const anyAmount = fc.constantFrom('0', '1', '0.0375', '7', '6.5', '0.000000000001', '19.99');
const anyEnds = fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { maxLength: 3 }).map((ends) => ends.sort((a, b) => a - b));
const anySteps = fc.tuple(anyEnds, fc.array(fc.tuple(anyAmount, anyAmount), { minLength: 4, maxLength: 4 })).map(([ends, amounts]) => [...ends, null].map((end, index) => ({ ...(end === null ? {} : { up_to: `${end}` }), amount: amounts[index]![0], flat: amounts[index]![1] })));
const anyOver = fc.oneof(
  fc.record({ tiers: fc.constantFrom('graduated', 'volume'), over: fc.constant('month'), steps: anySteps }),
  fc.record({ package: fc.constantFrom('1', '2.5', '7'), amount: anyAmount, free: fc.constantFrom('0', '3'), over: fc.constant('month') }),
  fc.record({ blocks: fc.constant('all'), over: fc.constant('month'), steps: fc.constant([{ size: '2', blocks: '3', amount: '1' }, { size: '5', amount: '2' }]) }),
);
const bookOver = (price: object, per: number) => compileBook(bookOf({ accumulators: { month: { counts: 'tokens', period: 'month' } }, rates: [{ models: ['m'], classes: ['input'], per, price }] }));

/** The lines of usages of so many tokens and of the end of their month. */
const ratedMonth = (compiled: ReturnType<typeof bookOver>, parts: readonly number[]): Money => {
  const counters = createCounters();
  const lines = parts.flatMap((tokens) => linesOf(rateUsage(compiled, usageOf({ input: `${tokens}` }), counters)));
  return sumOf(lines) + sumOf(closePeriods(compiled, counters, april));
};

describe('rating', () => {
  it('over a counter has the same total however usage is split', () => {
    fc.assert(
      fc.property(anyOver, fc.constantFrom(1, 3, 7, 1_000), fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 6 }), (price, per, parts) => {
        const compiled = bookOver(price, per);
        expect(ratedMonth(compiled, parts)).toBe(ratedMonth(compiled, [parts.reduce((sum, part) => sum + part)]));
      }),
      runs,
    );
  });

  it('never falls with more units where its rates do not', () => {
    fc.assert(
      fc.property(fc.constantFrom('graduated', 'package', 'all'), anySteps, fc.nat(60), fc.nat(20), (shape, steps, units, more) => {
        const price = { graduated: { tiers: 'graduated', steps }, package: { package: '7', amount: '2', free: '3' }, all: { blocks: 'all', steps: [{ size: '2', blocks: '3', amount: '1' }, { size: '5', amount: '2' }] } }[shape];
        const compiled = compileBook(bookOf({ rates: [{ models: ['m'], classes: ['input'], per: 3, price }] }));
        const cost = (quantity: number): Money => sumOf(linesOf(rateUsage(compiled, usageOf({ input: `${quantity}` }), createCounters())));
        expect(cost(units) <= cost(units + more)).toBe(true);
      }),
      runs,
    );
  });

  /** Two months of usage by a book of every construct; a refused usage has no lines. */
  const ratedPeriod = (seed: number) => {
    const draw = drawFrom(seed);
    const compiled = compileBook(bookOf(randomBook(draw, { most: 12, counters: true, coarse: true })));
    const counters = createCounters();
    const usages = Array.from({ length: 20 }, (_, index): RatableUsage => ({
      ...usageOf({ input: `${draw.below(9)}`, output: `${draw.below(9)}`, cached_read: `${draw.below(5)}` }, { atMs: Date.parse('2026-03-15T00:00:00Z') + index * 86_400_000, mode: draw.of(['batch', 'realtime']), tier: draw.of(['default', 'priority']) }),
      usageId: `u${index}`,
    }));
    const lines = usages.flatMap((usage) => {
      const rated = rateUsage(compiled, usage, counters);
      return 'refused' in rated ? [] : rated;
    });
    return { lines, closing: closePeriods(compiled, counters, Date.parse('2026-05-01T00:00:00Z')), counters: counters.all() };
  };

  it('again of a period gives the same lines, closings and counters', () => {
    for (let seed = 1; seed <= 60; seed += 1) expect(ratedPeriod(seed)).toEqual(ratedPeriod(seed));
  });

  it('counts against a maximum exactly the amounts that lines charge', () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      const { lines, counters } = ratedPeriod(seed);
      const cap = counters.filter(({ name }) => name === '#maximum cap').reduce((sum, { counted }) => sum + counted, 0n);
      if (counters.some(({ name }) => name === '#maximum cap')) expect([seed, cap]).toEqual([seed, sumOf(lines)]);
    }
  });

  it('leaves the counters as they are where it refuses', () => {
    const compiled = compileBook(bookOf({ accumulators: { month: { counts: 'tokens', period: 'month' } }, rates: [{ models: ['m'], per: 1, prices: { input: '1', output: null } }] }));
    const counters = createCounters();
    expect(rateUsage(compiled, usageOf({ input: '5', output: '1' }), counters)).toEqual({ refused: 'no_price', class: 'output' });
    expect(counters.all()).toEqual([]);
  });

  it('of flat prices is what the grants of a request are charged, and their allocations add up to it', () => {
    const prices = { input: '0.15', cached_read: '0.0375', output: '0.6' };
    const compiled = compileBook(bookOf({ rates: [{ models: ['m'], per: 1_000_000, prices }] }));
    const rates = new Map(Object.entries(prices).map(([name, amount]) => [name as TokenClass, { amount: parseMoney(amount), per: 1_000_000n }]));
    fc.assert(
      fc.property(fc.nat(100_000), fc.nat(100_000), fc.nat(10_000), fc.bigInt(0n, 10n ** 11n), (input, cached, output, hold) => {
        const counts: TokenCounts = { input, cached_read: cached, output };
        const quantities = Object.fromEntries(tokenClasses.map((name) => [name, BigInt(counts[name] ?? 0) * one]));
        const total = sumOf(linesOf(rateUsage(compiled, { ...usageOf({}), quantities }, createCounters())));
        const money = { rates, rounding: { decimals: 12, mode: 'half_even' } as const };
        const portions = ratePortions(counts, [{ ...money, hold }, { ...money, hold: 10n ** 20n }]);
        expect(portions.reduce((sum, { charge }) => sum + charge, 0n)).toBe(total);
      }),
      runs,
    );
  });
});
