import { describe, expect, test } from '@jest/globals';
import { normalizeBook } from './normalize.js';
import { priceBookFile } from './price-book.js';

describe('a price book', () => {
  const minimal = { book: 'list', currency: 'USD', rates: [{ models: ['qwen3-max'], when: { context: { over: 32_000 } }, per: 1_000_000, prices: { input: '4', output: null } }] };

  test('has one rate a class, with defaults filled in and an id that says what it selects', () => {
    const { book, ratePaths } = normalizeBook(priceBookFile.parse(minimal));
    expect(book.zone).toBe('UTC');
    expect(book.rates).toEqual([
      { id: 'qwen3-max/input/context>32000', models: ['qwen3-max'], classes: ['input'], when: { context: { over: '32000' } }, currency: 'USD', per: '1000000', price: { amount: '4' } },
      { id: 'qwen3-max/output/context>32000', models: ['qwen3-max'], classes: ['output'], when: { context: { over: '32000' } }, currency: 'USD', per: '1000000', price: null },
    ]);
    expect(ratePaths[1]).toEqual(['rates', 0, 'prices', 'output']);
  });

  test.each([
    ['a binary fraction', { price: 0.15 }, 'binary fraction'],
    ['a negative amount', { price: '-0.15' }, 'is negative'],
    ['an exponent', { price: '1e-6' }, 'plain decimal'],
    ['13 decimals', { price: '0.1234567890123' }, 'plain decimal'],
    ['an unknown key', { price: '1', colour: 'red' }, 'Unrecognized key'],
    ['an unknown class', { price: '1', classes: ['inptu'] }, 'Invalid option'],
    ['29 February of a common year', { price: '1', when: { from: '2027-02-29' } }, 'must be a date'],
  ])('refuses %s', (_, row, message) => {
    const result = priceBookFile.safeParse({ ...minimal, rates: [{ models: '*', classes: ['input'], per: 1, ...row }] });
    expect(JSON.stringify(result.error?.issues)).toContain(message);
  });
});
