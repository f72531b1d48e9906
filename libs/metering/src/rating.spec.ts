import { describe, expect, it } from '@jest/globals';
import type { TokenCounts } from '@kilotoken/contracts';
import { formatMoney, parseMoney } from '@kilotoken/money';
import type { BurnTable, PriceVersion } from '@kilotoken/pricing';
import type { UnitPortion } from '@kilotoken/usage';
import fc from 'fast-check';
import { rateBatch, type PinnedRates, type RatingResult, type UnratedGroup, type UnratedRow } from './rating.js';

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
/** A pack of one a token of prompt and four of answer, in whole units. */
const pack: BurnTable = {
  id: 'burn-1', unit: 'pack', modelId: null, effectiveAtMs: 0, rounding: { decimals: 0, mode: 'up' },
  rates: new Map([['input', { amount: parseMoney('1'), per: 1n }], ['output', { amount: parseMoney('4'), per: 1n }]]),
};
const pinned: PinnedRates = { prices, burnTables: new Map([[pack.id, pack]]) };

/** A row with what it has in common with others of its group. */
type Usage = UnratedRow & Omit<UnratedGroup, 'rows' | 'firstSettledMs' | 'lastSettledMs'>;

const usage = (change: Partial<Usage> = {}): Usage => ({
  organizationId: 'acme',
  accountRootId: 'acme',
  id: 'usage-1',
  attempt: 0,
  apiKeyId: 'key-1',
  priceVersionId: price.id,
  counts: { input: 2, output: 1 },
  portions: null,
  burnTableIds: [],
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

const groupOf = (...rows: [Usage, ...Usage[]]): UnratedGroup => {
  const settled = rows.map(({ settledAtMs }) => settledAtMs);
  return { ...rows[0], firstSettledMs: Math.min(...settled), lastSettledMs: Math.max(...settled), rows };
};

/** Rates rows, each a group of its own. */
const rate = (rows: readonly Usage[]): RatingResult => rateBatch(rows.map((row) => groupOf(row)), pinned);

describe('a charge', () => {
  it('that its price version gives is proven', () => {
    expect(rate([usage()]).mismatches).toEqual([]);
  });

  it('is what was rated, but never above the hold', () => {
    const [rated, hold] = [parseMoney('1.571428571429'), parseMoney('1')];
    expect(rate([usage({ rated, hold, charge: hold })]).mismatches).toEqual([]);
  });

  it('of an attempt that counted nothing is nothing', () => {
    expect(rate([usage({ counts: {}, rated: 0n, charge: 0n, cost: 0n })]).mismatches).toEqual([]);
  });

  it.each<[string, Partial<Usage>, string | null]>([
    ['one digit too much', { rated: parseMoney('1.57142857143'), charge: parseMoney('1.57142857143') }, '1.571428571429'],
    ['less than was rated, though the hold covers it', { charge: parseMoney('1.5') }, '1.571428571429'],
    ['other counts', { counts: { input: 2, output: 2 } }, '2.285714285714'],
    ['a price version that nobody knows', { priceVersionId: 'price-2' }, null],
    ['a class that has no price', { counts: { input: 2, reasoning: 1 } }, null],
    ['counts that are no whole numbers', { counts: { input: 2.5 } }, null],
    ['counts that are no numbers', { counts: { input: 'many' } as unknown as TokenCounts }, null],
  ])('with %s is named, with what it should be', (_name, change, rated) => {
    const wrong = usage(change);
    expect(rate([usage(), wrong]).mismatches).toEqual([
      { organizationId: wrong.organizationId, priceVersionId: wrong.priceVersionId, usage: wrong, rated: rated === null ? null : parseMoney(rated) },
    ]);
  });

  it('that is wrong is posted as it was charged: the books say what happened', () => {
    const charged = parseMoney('2');
    expect(rate([usage({ rated: charged, charge: charged })]).totals).toMatchObject([{ charge: charged, rated: charged }]);
  });
});

describe('a charge over a pack and money', () => {
  // The pack pays for both tokens of the prompt; what is left of it, one, is less than a token of the answer.
  const portion = (unit: string, burnTableId: string | null, counts: TokenCounts, hold: string, rated: string): UnitPortion => ({ unit, burnTableId, counts, hold: parseMoney(hold), rated: parseMoney(rated), charge: parseMoney(rated) });
  const portions = [portion('pack', pack.id, { input: 2 }, '3', '2'), portion('USD', null, { output: 1 }, '10', '0.714285714286')];
  const straddling = (change: Partial<Usage> = {}): Usage => usage({ portions, burnTableIds: [pack.id], rated: parseMoney('0.714285714286'), charge: parseMoney('0.714285714286'), ...change });

  it('is proven in each unit, and posted in each', () => {
    const { mismatches, totals } = rate([straddling(), usage({ id: 'usage-2' })]);
    expect(mismatches).toEqual([]);
    expect(totals.map(({ unit, charge, rated, cost }) => [unit, formatMoney(charge), formatMoney(rated), formatMoney(cost)])).toEqual([
      ['USD', '2.285714285715', '2.285714285715', '1'],
      ['pack', '2', '2', '0'],
    ]);
  });

  it.each<[string, Partial<Usage>]>([
    ['a token more from the pack', { portions: [portion('pack', pack.id, { input: 2, output: 1 }, '6', '6'), portion('USD', null, {}, '10', '0')] }],
    ['fewer tokens from the pack than it covers', { portions: [portion('pack', pack.id, { input: 1 }, '3', '1'), portion('USD', null, { input: 1, output: 1 }, '10', '1.142857142857')] }],
    ['another amount of the currency than its portions', { rated: parseMoney('0.7'), charge: parseMoney('0.7') }],
    ['a burn table that nobody knows', { portions: [portion('pack', 'burn-2', { input: 2 }, '3', '2'), portions[1]!] }],
    ['the burn table of another unit', { portions: [portion('points', pack.id, { input: 2 }, '3', '2'), portions[1]!] }],
    ['no portions', { portions: null }],
  ])('with %s is named', (_name, change) => {
    expect(rate([straddling(change)]).mismatches.map(({ usage: { id } }) => id)).toEqual(['usage-1']);
  });
});

describe('what is to be posted', () => {
  it('is added up per organization, unit and cost currency', () => {
    const { totals } = rate([usage(), usage({ id: 'usage-2' }), usage({ organizationId: 'other' }), usage({ unit: 'EUR' }), usage({ costCurrency: 'EUR' })]);
    const [charge, cost] = [parseMoney('1.571428571429'), parseMoney('0.5')];
    expect(totals).toEqual([
      { organizationId: 'acme', unit: 'USD', costCurrency: 'USD', charge: charge * 2n, rated: charge * 2n, cost: cost * 2n },
      { organizationId: 'acme', unit: 'EUR', costCurrency: 'USD', charge, rated: charge, cost },
      { organizationId: 'acme', unit: 'USD', costCurrency: 'EUR', charge, rated: charge, cost },
      { organizationId: 'other', unit: 'USD', costCurrency: 'USD', charge, rated: charge, cost },
    ]);
  });

  it('counts rows per account tree, every attempt of them', () => {
    const { roots } = rate([usage(), usage({ attempt: 1 }), usage({ organizationId: 'child' }), usage({ accountRootId: 'other' })]);
    expect([...roots]).toEqual([['acme', 3], ['other', 1]]);
  });

  it('says when each key was used last, in whatever order its rows come', () => {
    const at = (apiKeyId: string, settledAtMs: number): Usage => usage({ apiKeyId, settledAtMs });
    const { keysUsed } = rate([at('a', 2_000), at('b', 5_000), at('a', 3_000), at('a', 1_000)]);
    expect([...keysUsed.values()].map(({ apiKeyId, usedAtMs }) => [apiKeyId, usedAtMs])).toEqual([['a', 3_000], ['b', 5_000]]);
  });

  it('is the same however rows are grouped', () => {
    const [one, other] = [usage(), usage({ id: 'usage-2', counts: { input: 7 }, rated: parseMoney('3'), charge: parseMoney('3'), settledAtMs: 2_000 })];
    expect(rateBatch([groupOf(one, other)], pinned)).toEqual(rate([one, other]));
  });

  it('is nothing of no rows', () => {
    const { totals, roots, keysUsed, mismatches } = rate([]);
    expect([totals.length, roots.size, keysUsed.size, mismatches.length]).toEqual([0, 0, 0, 0]);
  });

  it('loses no digit of any row, however they are divided into ratings', () => {
    const row = fc.record({ organizationId: fc.constantFrom('a', 'b'), unit: fc.constantFrom('USD', 'EUR'), charge: fc.bigInt({ min: 0n, max: 10n ** 20n }), cost: fc.bigInt({ min: 0n, max: 10n ** 20n }) });
    const sum = (rows: readonly { charge: bigint; cost: bigint }[]): bigint[] => [rows.reduce((all, { charge }) => all + charge, 0n), rows.reduce((all, { cost }) => all + cost, 0n)];
    fc.assert(
      fc.property(fc.array(row, { maxLength: 30 }), fc.nat(30), (rows, at) => {
        const all = rows.map((change) => usage({ ...change, rated: change.charge }));
        const parts = [all.slice(0, at), all.slice(at)].flatMap((part) => rate(part).totals);
        expect(sum(parts)).toEqual(sum(all));
        expect(rate(all).totals.length).toBe(new Set(all.map(({ organizationId, unit }) => `${organizationId} ${unit}`)).size);
      }),
    );
  });
});
