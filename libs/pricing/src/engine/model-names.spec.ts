import { describe, expect, test } from '@jest/globals';
import { normalizeBook } from '../book/normalize.js';
import { priceBookFile } from '../book/price-book.js';
import { createNameResolver } from './model-names.js';

describe('the name under which a book has a model', () => {
  const nameOf = (match: string[]) => createNameResolver(normalizeBook(priceBookFile.parse({ book: 'b', currency: 'USD', aliases: [{ model: 'own', match }], rates: [{ models: ['own', 'a-1'], per: 1, prices: { input: 1 } }] })).book);

  test.each([
    ['a*', 'abc', true],
    ['a*', 'ba', false],
    ['*a', 'bca', true],
    ['*b*', 'abc', true],
    ['a*a', 'a', false],
    ['a*b*c', 'axbxc', true],
    ['a*bc*c', 'abc', false],
    ['a-##', 'a-26', true],
    ['a-##', 'a-2x', false],
    ['a-##', 'a-261', false],
    ['a-#*', 'a-2-b', true],
    ['*-#-*', 'x-y-3-z', true],
    ['A', 'a', true],
  ])('by the pattern %s: %s', (pattern, name, isOwn) => {
    expect(nameOf([pattern])(name)).toBe(isOwn ? 'own' : '*');
  });

  test('is its own before any pattern', () => {
    expect(nameOf(['a*'])('A-1')).toBe('a-1');
  });
});
