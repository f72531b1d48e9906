import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { storableMoment, storableMomentOrNull, storableOffsetMs, storableStatus, storableStatusOrNull, storableTags, storableText, storableTextOrNull, storableTokens } from './diagnostics.js';

describe('text', () => {
  it.each([
    ['as it is', 'chatcmpl-1 é 漢 😀', 128, 'chatcmpl-1 é 漢 😀'],
    ['with NUL', 'a\0b\0', 128, 'a\ufffdb\ufffd'],
    ['with half a pair', 'a\ud800b\udc00', 128, 'a\ufffdb\ufffd'],
    ['that is too long', 'abcdef', 3, 'abc'],
    ['that is cut inside a pair', 'ab😀', 3, 'ab\ufffd'],
    ['that is nothing', '', 3, ''],
  ])('%s is stored', (_, text, lengthMax, expected) => expect(storableText(text, lengthMax)).toBe(expected));

  it('of any kind is whole, without NUL and within its length', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(0xffff), { maxLength: 50 }), fc.nat(60), (units, lengthMax) => {
        const stored = storableText(String.fromCharCode(...units), lengthMax);
        expect(stored.length).toBeLessThanOrEqual(lengthMax);
        expect([stored.isWellFormed(), stored.includes('\0')]).toEqual([true, false]);
        expect(storableText(stored, lengthMax)).toBe(stored);
      }),
    );
  });

  it('that there is not stays null', () => expect(storableTextOrNull(null, 3)).toBeNull());
});

describe('tags', () => {
  it('that there are not stay null', () => expect(storableTags(null)).toBeNull());
  it('are bounded in number and length, keys and values alike', () => {
    const many = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`${String(index).padStart(2, '0')}${'k'.repeat(100)}\0`, '\ud800'.repeat(1_000)]));
    const stored = Object.entries(storableTags(many)!);
    expect(stored).toHaveLength(16);
    for (const [key, value] of stored) expect([key.length, value]).toEqual([64, '\ufffd'.repeat(512)]);
  });
});

const absurd = [NaN, Infinity, -Infinity, 1e308, -1e308, 2 ** 53, -0, 0.5, -1, 2_246_400_000];

describe('numbers', () => {
  it.each([
    ['an offset', storableOffsetMs, -(2 ** 31), 2 ** 31 - 1],
    ['a status', storableStatus, 0, 999],
    ['a count of tokens', storableTokens, 0, Number.MAX_SAFE_INTEGER],
  ])('%s is a whole number that its column holds', (_, storable, least, most) => {
    for (const value of absurd) {
      const stored = storable(value);
      expect(Number.isSafeInteger(stored)).toBe(true);
      expect(stored).toBeGreaterThanOrEqual(least);
      expect(stored).toBeLessThanOrEqual(most);
    }
    expect(storable(200)).toBe(200);
  });

  it('of a clock 26 days off are its bound, not an overflow', () => {
    expect(storableOffsetMs(26 * 86_400_000)).toBe(2_147_483_647);
    expect(storableOffsetMs(-26 * 86_400_000)).toBe(-2_147_483_648);
  });

  it('that there are not stay null', () => expect([storableStatusOrNull(null), storableMomentOrNull(null)]).toEqual([null, null]));
});

describe('a moment', () => {
  it('lies between 1970 and 9999', () => {
    for (const value of absurd) {
      expect(storableMoment(value, 7)).toBeGreaterThanOrEqual(0);
      expect(new Date(storableMoment(value, 7)).getUTCFullYear()).toBeLessThanOrEqual(9_999);
    }
    expect(storableMoment(1.5, 7)).toBe(1.5);
  });

  it('that is none is the one that the caller knows, or nothing', () => expect([storableMoment(NaN, 7), storableMomentOrNull(NaN)]).toEqual([7, null]));
});
