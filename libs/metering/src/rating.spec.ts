import { describe, expect, it } from '@jest/globals';
import type { PriceVersion, TokenCounts } from '@kilotoken/contracts';
import { parseMoney } from '@kilotoken/money';
import fc from 'fast-check';
import { rateBatch, type UnratedUsage } from './rating.js';

/** 3 and 5 per 7: what does not divide evenly is rounded half to even, 12 decimals. */
const price: PriceVersion = {
  id: 'price-1',
  currency: 'USD',
  effectiveAtMs: 0,
  rates: new Map([
    ['input', { amount: parseMoney('3'), per: 7n }],
    ['output', { amount: parseMoney('5'), per: 7n }],
    ['reasoning', { amount: null, per: 7n }],
  ]),
};
const prices = new Map([[price.id, price]]);

const usage = (change: Partial<UnratedUsage> = {}): UnratedUsage => ({
  organizationId: 'acme',
  accountRootId: 'acme',
  id: 'usage-1',
  attempt: 0,
  apiKeyId: 'key-1',
  priceVersionId: price.id,
  counts: { input: 2, output: 1 },
  unit: 'USD',
  hold: parseMoney('10'),
  // 2 × 3 ÷ 7 + 1 × 5 ÷ 7 = 0.857142857143 + 0.714285714286
  rated: parseMoney('1.571428571429'),
  charge: parseMoney('1.571428571429'),
  cost: parseMoney('0.5'),
  costCurrency: 'USD',
  settledAtMs: 1_000,
  ...change,
});

describe('a charge', () => {
  it('that its price version gives is proven', () => {
    expect(rateBatch([usage()], prices).mismatches).toEqual([]);
  });

  it('is what was rated, but never above the hold', () => {
    const [rated, hold] = [parseMoney('1.571428571429'), parseMoney('1')];
    expect(rateBatch([usage({ rated, hold, charge: hold })], prices).mismatches).toEqual([]);
  });

  it('of an attempt that counted nothing is nothing', () => {
    expect(rateBatch([usage({ counts: {}, rated: 0n, charge: 0n, cost: 0n })], prices).mismatches).toEqual([]);
  });

  it.each<[string, Partial<UnratedUsage>, string | null]>([
    ['one digit too much', { rated: parseMoney('1.57142857143'), charge: parseMoney('1.57142857143') }, '1.571428571429'],
    ['less than was rated, though the hold covers it', { charge: parseMoney('1.5') }, '1.571428571429'],
    ['other counts', { counts: { input: 2, output: 2 } }, '2.285714285714'],
    ['a price version that nobody knows', { priceVersionId: 'price-2' }, null],
    ['a class that has no price', { counts: { input: 2, reasoning: 1 } }, null],
    ['counts that are no whole numbers', { counts: { input: 2.5 } }, null],
    ['counts that are no numbers', { counts: { input: 'many' } as unknown as TokenCounts }, null],
  ])('with %s is named, with what it should be', (_name, change, rated) => {
    const wrong = usage(change);
    expect(rateBatch([usage(), wrong], prices).mismatches).toEqual([{ usage: wrong, rated: rated === null ? null : parseMoney(rated) }]);
  });

  it('that is wrong is posted as it was charged: the books say what happened', () => {
    const charged = parseMoney('2');
    expect(rateBatch([usage({ rated: charged, charge: charged })], prices).totals).toMatchObject([{ charge: charged, rated: charged }]);
  });
});

describe('what is to be posted', () => {
  it('is added up per organization, unit and cost currency', () => {
    const { totals } = rateBatch(
      [usage(), usage({ id: 'usage-2' }), usage({ organizationId: 'other' }), usage({ unit: 'EUR' }), usage({ costCurrency: 'EUR' })],
      prices,
    );
    const [charge, cost] = [parseMoney('1.571428571429'), parseMoney('0.5')];
    expect(totals).toEqual([
      { organizationId: 'acme', unit: 'USD', costCurrency: 'USD', charge: charge * 2n, rated: charge * 2n, cost: cost * 2n },
      { organizationId: 'acme', unit: 'EUR', costCurrency: 'USD', charge, rated: charge, cost },
      { organizationId: 'acme', unit: 'USD', costCurrency: 'EUR', charge, rated: charge, cost },
      { organizationId: 'other', unit: 'USD', costCurrency: 'USD', charge, rated: charge, cost },
    ]);
  });

  it('counts rows per account tree, every attempt of them', () => {
    const { roots } = rateBatch([usage(), usage({ attempt: 1 }), usage({ organizationId: 'child' }), usage({ accountRootId: 'other' })], prices);
    expect([...roots]).toEqual([['acme', 3], ['other', 1]]);
  });

  it('says when each key was used last, in whatever order its rows come', () => {
    const at = (apiKeyId: string, settledAtMs: number): UnratedUsage => usage({ apiKeyId, settledAtMs });
    const { keysUsed } = rateBatch([at('a', 2_000), at('b', 5_000), at('a', 3_000), at('a', 1_000)], prices);
    expect([...keysUsed.values()].map(({ apiKeyId, usedAtMs }) => [apiKeyId, usedAtMs])).toEqual([['a', 3_000], ['b', 5_000]]);
  });

  it('is nothing of no rows', () => {
    const { totals, roots, keysUsed, mismatches } = rateBatch([], prices);
    expect([totals.length, roots.size, keysUsed.size, mismatches.length]).toEqual([0, 0, 0, 0]);
  });

  it('loses no digit of any row, however they are divided into ratings', () => {
    const row = fc.record({ organizationId: fc.constantFrom('a', 'b'), unit: fc.constantFrom('USD', 'EUR'), charge: fc.bigInt({ min: 0n, max: 10n ** 20n }), cost: fc.bigInt({ min: 0n, max: 10n ** 20n }) });
    const sum = (rows: readonly { charge: bigint; cost: bigint }[]): bigint[] => [rows.reduce((all, { charge }) => all + charge, 0n), rows.reduce((all, { cost }) => all + cost, 0n)];
    fc.assert(
      fc.property(fc.array(row, { maxLength: 30 }), fc.nat(30), (rows, at) => {
        const all = rows.map((change) => usage({ ...change, rated: change.charge }));
        const parts = [all.slice(0, at), all.slice(at)].flatMap((part) => rateBatch(part, prices).totals);
        expect(sum(parts)).toEqual(sum(all));
        expect(rateBatch(all, prices).totals.length).toBe(new Set(all.map(({ organizationId, unit }) => `${organizationId} ${unit}`)).size);
      }),
    );
  });
});
