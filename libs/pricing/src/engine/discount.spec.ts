import { describe, expect, it, test } from '@jest/globals';
import { formatMoney } from '@kilotoken/money';
import { compileBook } from './compile.js';
import { createCounters } from './counters.js';
import { rateUsage } from './rate.js';
import { bookOf, linesOf, usageOf } from './worked-example.js';

const rates = [{ id: 'r', models: ['m'], per: 1, prices: { input: '10', cached_read: '1' } }];
const shown = (file: object, quantities = {}, rest = {}): string[] =>
  linesOf(rateUsage(compileBook(bookOf({ rates, ...file })), usageOf({ input: '10', ...quantities }, rest), createCounters())).map(
    ({ amount, discounts }) => `${formatMoney(amount)}${discounts.map((discount) => ` ${discount.id} −${formatMoney(discount.amount)}`).join('')}`,
  );

describe('discounts', () => {
  const batch = { id: 'batch', when: { modes: ['batch'] }, percent: '50' };
  const partner = { id: 'partner', percent: '10' };
  const cache = { id: 'cache', classes: ['cached_read'], percent: '20' };

  test.each([
    ['multiply in the order of the file', [batch, partner], [], ['45 batch −50 partner −5']],
    ['multiply where the table says so', [batch, partner], [{ discounts: ['batch', 'partner'], combine: 'multiply' }], ['45 batch −50 partner −5']],
    ['may give only the best', [partner, batch], [{ discounts: ['partner', 'batch'], combine: 'best' }], ['50 batch −50']],
    ['may give only the first of the row', [batch, partner], [{ discounts: ['partner', 'batch'], combine: 'first' }], ['90 partner −10']],
    ['outside of a row multiply with the chosen one', [{ id: 'x', percent: '1' }, batch, partner], [{ discounts: ['batch', 'partner'], combine: 'best' }], ['49.5 x −1 batch −49.5']],
    ['of another model do not apply', [{ id: 'n', models: ['n'], percent: '1' }], [], ['100']],
    ['of 100 percent leave nothing', [{ id: 'free', percent: '100' }], [], ['0 free −100']],
  ])('%s', (_, discounts, stacking, expected) => expect(shown({ discounts, stacking }, {}, { mode: 'batch' })).toEqual(expected));

  // Alibaba: batch calls have half the price, not combinable with the discount of cached reads.
  it('of batch and cache do not combine where the table gives the best', () => {
    const book = { discounts: [batch, cache], stacking: [{ discounts: ['batch', 'cache'], combine: 'best' }] };
    expect(shown(book, { cached_read: '100' }, { mode: 'batch' })).toEqual(['50 batch −50', '50 batch −50']);
    expect(shown(book, { cached_read: '100' })).toEqual(['100', '80 cache −20']);
  });

  it('add up with the amount to the list price, to the last digit', () => {
    const thirds = { rates: [{ models: ['m'], classes: ['input'], per: 3, price: '0.000000000001' }], discounts: [{ id: 'a', percent: '33.3' }, { id: 'b', percent: '12.5' }] };
    // 10 ÷ 3 = 3.33 → 3; × 0.667 = 2.22 → 2; × 0.875 = 1.95 → 2, each in 10⁻¹²
    expect(shown(thirds)).toEqual(['0.000000000002 a −0.000000000001 b −0']);
  });
});

describe('a discount with steps over an accumulator', () => {
  const accumulators = { tokens: { counts: 'tokens', period: 'month' }, spend: { counts: 'amount', period: 'month' } };
  const book = (over: string, tiers: string) => compileBook(bookOf({ rates, accumulators, discounts: [{ id: 'd', percent: { over, tiers, steps: [{ up_to: over === 'tokens' ? '15' : '150', percent: '0' }, { percent: '20' }] } }] }));
  const amounts = (over: string, tiers: string): string[] => {
    const counters = createCounters();
    return [1, 2, 3].map(() => formatMoney(linesOf(rateUsage(book(over, tiers), usageOf({ input: '10' }), counters))[0]!.amount));
  };

  it.each(['tokens', 'spend'])('graduated over %s takes the part of each step that the line is in', (over) => expect(amounts(over, 'graduated')).toEqual(['100', '90', '80']));

  it.each(['tokens', 'spend'])('by volume over %s takes the step that the total reaches', (over) => expect(amounts(over, 'volume')).toEqual(['100', '80', '80']));
});
