import { describe, expect, it, test } from '@jest/globals';
import { formatMoney, parseMoney } from '@kilotoken/money';
import { compileBook } from './compile.js';
import { createCounters } from './counters.js';
import { parseQuantity } from './quantity.js';
import { rateUsage } from './rate.js';
import { bookOf, linesOf, totalOf, usageOf } from './worked-example.js';

const rate = (file: object, quantities: Readonly<Record<string, string>>, rest = {}) => rateUsage(compileBook(bookOf(file)), usageOf(quantities, rest), createCounters());
const lines = (...given: Parameters<typeof rate>) => linesOf(rate(...given));
const shown = (...given: Parameters<typeof rate>): string[] => lines(...given).map(({ class: name, rateId, amount }) => `${name} ${rateId} ${formatMoney(amount)}`);

describe('worked examples of model vendors', () => {
  const qwen = {
    currency: 'CNY',
    rates: [
      { id: 'short', models: ['qwen3-max'], when: { context: { up_to: 32_000 } }, per: 1_000_000, prices: { input: '2.5', output: '10' } },
      { id: 'long', models: ['qwen3-max'], when: { context: { over: 32_000, up_to: 128_000 } }, per: 1_000_000, prices: { input: '4', output: '16' } },
    ],
  };

  // price.slab.input_length and price.slab.qwen3max: modelstudioai/skills@62167f8 model-pricing.md, bands in qxytah/qwen-api-pricing
  it('a slab by request length holds for all tokens of the request', () => {
    expect(shown(qwen, { input: '100000', output: '2000' }, { model: 'Qwen3-Max' })).toEqual(['input long/input 0.4', 'output long/output 0.032']);
    expect(totalOf(lines(qwen, { input: '100000', output: '2000' }, { model: 'qwen3-max' }))).toBe('0.432');
    expect(shown(qwen, { input: '32000', output: '1' }, { model: 'qwen3-max' })).toEqual(['input short/input 0.08', 'output short/output 0.00001']);
    expect(shown(qwen, { input: '31999', cached_read: '2' }, { model: 'qwen3-max' })).toEqual(['input long/input 0.127996', 'cached_read long/input 0.000008']);
    expect(rate(qwen, { input: '128001' }, { model: 'qwen3-max' })).toEqual({ refused: 'no_price', class: 'input' });
  });

  // price.deepseek.24h: DeepSeek inference overview, recomputed
  it('cached tokens are priced once, as cached', () => {
    const book = { rates: [{ models: ['r1'], per: 1_000_000, prices: { cached_read: '0.14', input: '0.55', output: '2.19' } }] };
    expect(totalOf(lines(book, { cached_read: '342000000000', input: '266000000000', output: '168000000000' }, { model: 'r1' }))).toBe('562100');
  });

  // ptu.glm5_1.short, ptu.glm5_1.long: help.aliyun.com/zh/model-studio/ptu-long-input-and-cache
  it.each([
    ['10000', '0', '10000'],
    ['50000', '1000', '57110'],
  ])('graduated capacity factors of %s tokens of input and %s of output', (input, output, units) => {
    const factors = { tiers: 'graduated', steps: [{ up_to: '32000', amount: '1' }, { amount: '1.33' }] };
    const book = { rates: [{ models: '*', per: 1, prices: { input: factors, output: '1.17' } }] };
    expect(totalOf(lines(book, { input, output }))).toBe(units);
  });

  // reserve.fee.std, reserve.fee.fast: help.aliyun.com/zh/model-studio/tpm-reservation-billing
  it.each([
    ['121', '36.29', '6049'],
    ['345.6', '103.68', '17280'],
  ])('a reservation of 200K input at %s per 10K and 100K output at %s per 1K', (input, output, fee) => {
    const book = { rates: [{ models: '*', per: 10_000, prices: { input } }, { models: '*', per: 1_000, prices: { output } }] };
    expect(totalOf(lines(book, { input: '200000', output: '100000' }))).toBe(fee);
  });

  // package.cross_model: developer.qiniu.com/aitokenapi/13167/fusion-resource-package
  it.each([
    ['0.002', '5000'],
    ['0.004', '10000'],
    ['0.008', '20000'],
  ])('10,000 tokens of a model at %s take %s tokens from a package of base price 0.004', (price, deducted) => {
    const perBase = { rates: [{ models: '*', classes: ['input'], per: 4, price: price.replace('0.00', '') }] };
    expect(totalOf(lines(perBase, { input: '10000' }))).toBe(deducted);
  });

  // tokenplan.credits: vendor documentation of token plans, recomputed; 1 credit is CNY 0.01 at 2, 0.2 and 12 per 1,000,000
  it('credits of a token plan are rounded half up to 2 decimals a line', () => {
    const round = { decimals: 2, mode: 'half_up' };
    const book = { rates: [{ models: '*', per: 10_000, prices: { input: '2', cached_read: '0.2', output: '12' }, round }] };
    const rated = lines(book, { input: '8349', cached_read: '40794', output: '573' });
    expect(rated.map(({ amount }) => formatMoney(amount))).toEqual(['1.67', '0.82', '0.69']);
    expect(totalOf(rated)).toBe('3.18');
  });

  // azure.ptu.partial_hour: MicrosoftDocs/azure-ai-docs provisioned-throughput-onboarding.md; modelunit.early_exit: first-month cancellation at 1.2 of days
  it('hours and days may be parts', () => {
    expect(totalOf(lines({ rates: [{ models: '*', classes: ['storage_hour'], per: 1, price: '1' }] }, { storage_hour: '0.25' }))).toBe('0.25');
    expect(totalOf(lines({ rates: [{ models: '*', classes: ['request'], per: 30, price: '3600' }] }, { request: '5' }))).toBe('600');
  });
});

describe('a line', () => {
  it('says which rate made it, for how many units, at which price', () => {
    const book = { rates: [{ id: 'r', models: ['m'], classes: ['input'], per: 1_000_000, price: '0.15' }] };
    expect(lines(book, { input: '1000' })).toEqual([
      { usageId: 'u1', rateId: 'r', class: 'input', quantity: parseQuantity('1000'), unitPrice: parseMoney('0.15'), per: 1_000_000n, amount: parseMoney('0.00015'), currency: 'USD', discounts: [] },
    ]);
  });

  it('of a free class costs 0, and one of a class without a price refuses the usage', () => {
    const book = { rates: [{ models: ['m'], per: 1, prices: { input: '0', output: null } }] };
    expect(totalOf(lines(book, { input: '5' }))).toBe('0');
    expect(rate(book, { input: '5', output: '1' })).toEqual({ refused: 'no_price', class: 'output' });
    expect(rate(book, { input: '5', tool_call: '1' })).toEqual({ refused: 'no_price', class: 'tool_call' });
    expect(lines(book, { input: '0', output: '0', tool_call: '0' })).toEqual([]);
  });

  it('of a request that says nothing of its number is one, where the book prices requests', () => {
    const book = { rates: [{ models: ['m'], per: 1, prices: { request: '0.02', input: '1' } }] };
    expect(totalOf(lines(book, { input: '1' }))).toBe('1.02');
    expect(totalOf(lines(book, { input: '1', request: '0' }))).toBe('1');
  });

  it('has the exact price of nine decimals', () => {
    expect(totalOf(lines({ rates: [{ models: ['m'], per: 1_000_000, prices: { input: '0.0375' } }] }, { input: '1' }))).toBe('0.0000000375');
  });
});

describe('selection', () => {
  const when = (conditions: object, price: string, models: unknown = ['m']) => ({ models, classes: ['input'], per: 1, price, when: conditions });

  test.each([
    ['a model before "*"', [when({ tiers: ['default'], modes: ['realtime'] }, '1', '*'), when({}, '2')], {}, '2'],
    ['more conditions before fewer', [when({}, '1'), when({ tiers: ['default'] }, '2'), when({ tiers: ['default'], regions: ['cn'] }, '3')], { region: 'cn' }, '3'],
    ['only what matches', [when({}, '1'), when({ regions: ['cn'] }, '2')], {}, '1'],
    ['the tier that was served', [when({ tiers: ['priority'] }, '2'), when({ tiers: ['default'] }, '1')], { tier: 'priority' }, '2'],
    ['the mode', [when({}, '2'), when({ modes: ['batch'] }, '1')], { mode: 'batch' }, '1'],
    ['the moment: inclusive from', [when({}, '1'), when({ from: '2026-03-10T12:00:00Z' }, '2')], {}, '2'],
    ['the moment: exclusive until', [when({}, '1'), when({ until: '2026-03-10T12:00:00Z' }, '2')], {}, '1'],
    ["a date in the book's zone", [when({}, '1'), when({ from: '2026-03-11' }, '2')], { atMs: Date.parse('2026-03-10T16:00:00Z') }, '2'],
    ['a currency, if one is asked for', [when({}, '1'), { ...when({}, '2'), id: 'eur', currency: 'EUR' }], { currency: 'EUR' }, '2'],
    ["the book's currency, if none is", [{ ...when({}, '2'), id: 'eur', currency: 'EUR' }, when({}, '1')], {}, '1'],
  ])('takes %s', (_, rates, facts, amount) => expect(totalOf(lines({ zone: 'Asia/Shanghai', rates }, { input: '1' }, facts))).toBe(amount));

  it('finds a model by its name in any case, then by an alias, then by "*"', () => {
    const book = { aliases: [{ model: 'Haiku', match: ['claude-*haiku*'] }], rates: [when({}, '1', ['haiku']), { ...when({}, '9', '*'), id: 'all' }] };
    for (const [model, amount] of [['HAIKU', '1'], ['Claude-3-5-haiku-latest', '1'], ['claude-3', '9']]) expect(totalOf(lines(book, { input: '1' }, { model }))).toBe(amount);
  });
});
