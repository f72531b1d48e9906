import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { jsonBytes, printedBytes, textBytes } from './text-bound.js';

const encoder = new TextEncoder();
const bytesOf = (text: string): number => encoder.encode(text).length;
const anyText = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }));

describe('bounds of a text', () => {
  test('a value printed with four spaces of indentation is not longer than its bound', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6, stringUnit: 'grapheme' }), (value) => {
        expect(bytesOf(JSON.stringify([value], null, 4))).toBeLessThanOrEqual(jsonBytes([value]));
      }),
      { numRuns: 2000 },
    );
    expect(jsonBytes([[1, 2]])).toBeGreaterThanOrEqual(JSON.stringify([[1, 2]], null, 4).length);
  });

  test('a text printed as a JSON string, with all that is not ASCII escaped, is not longer than its bound and the two quotes', () => {
    const asciiJson = (text: string): string =>
      JSON.stringify(text).replace(/[\u007f-\uffff<>&']/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
    fc.assert(
      fc.property(anyText, (text) => {
        expect(asciiJson(text).length).toBeLessThanOrEqual(printedBytes(text) + 2);
        expect(bytesOf(JSON.stringify(text.normalize('NFKC')))).toBeLessThanOrEqual(printedBytes(text) + 2);
      }),
      { numRuns: 2000 },
    );
  });

  test('every character, alone and after a letter, is bounded in every normal form that tokenizers use', () => {
    let changed = 0;
    // Up to the last character that any version of Unicode has decomposed, and then some.
    for (let code = 0x80; code <= 0x35000; code++) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      const character = String.fromCodePoint(code);
      const forms = [character.normalize('NFC'), character.normalize('NFKC')].filter((form) => form !== character);
      if (forms.length === 0) continue;
      changed++;
      const longest = Math.max(...forms.map(bytesOf));
      if (longest > textBytes(character)) throw new Error(`U+${code.toString(16)} is longer`);
      if (longest > 11 * bytesOf(character)) throw new Error(`U+${code.toString(16)} grows more than 11 times`);
    }
    expect(changed).toBeGreaterThan(4000);
  });

  test('marks without end, which take the square of their number to sort, are counted without sorting', () => {
    for (const marks of ['\u0301\u0327', '\u0327\uff9e', '\u{1d165}\u0327']) {
      const text = `a${marks.repeat(500_000)}`;
      expect(textBytes(text)).toBe(11 * bytesOf(text));
    }
  });

  test('a long text is not longer in any normal form than its bound, wherever it is cut to count it', () => {
    const unit = fc.constantFrom('a', 'e\u0301', '\u0301\u0327', '\ufdfa', '\u1100\u1161\u11a8', '\u{1d160}', '😀', '語', '\ud83d');
    fc.assert(
      fc.property(fc.array(unit, { minLength: 1, maxLength: 20 }), fc.integer({ min: 0, max: 40 }), (units, before) => {
        const text = 'x'.repeat(16_370 + before) + units.join('').repeat(200);
        const longest = Math.max(...[text, text.normalize('NFC'), text.normalize('NFKC')].map(bytesOf));
        expect(textBytes(text)).toBeGreaterThanOrEqual(longest);
      }),
      { numRuns: 200 },
    );
  });

  test('nesting that would print gigabytes is counted in its own length', () => {
    const item = Array(2_000_000).fill(1);
    let value: unknown[] = item;
    for (let depth = 1; depth < 60; depth++) value = [value];
    expect(jsonBytes(value)).toBeGreaterThan(2_000_000 * 240);
  });
});
