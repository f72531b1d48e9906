import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { apiKeyLength, apiKeyPrefix, fingerprintApiKey, mintApiKey, parseApiKey } from './api-key.js';

const countingBytes = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, index) => index);

describe('an API key', () => {
  test('is made of its random bytes and a checksum that does not change between releases', () => {
    const minted = mintApiKey(countingBytes);
    expect(minted.key).toBe('kt_live_0123456789ABCDEFGHIJKLMNOPQRSTUV49YF8z');
    expect(minted.prefix).toBe('kt_live_0123');
    expect(minted.hash.toString('hex')).toBe('d79c713ee250d995815b14b00c0b8e6e8897e4aaae3c3259802c95bc298d27b1');
  });

  test('that was minted is parsed to the same hash and prefix', () => {
    for (let round = 0; round < 1_000; round++) {
      const { key, hash, prefix } = mintApiKey(randomBytes);
      expect(parseApiKey(key)).toEqual({ ok: true, hash, prefix });
    }
  });

  test('is remembered by its hash, which is not the key', () => {
    const { key, hash } = mintApiKey(randomBytes);
    expect(fingerprintApiKey(key)).toBe(hash.toString('base64'));
    expect(fingerprintApiKey(`${key}0`)).toBeNull();
    expect(fingerprintApiKey('A'.repeat(10_240))).toBeNull();
  });

  test('draws bytes again that would make some characters more likely than others', () => {
    const draws = [new Uint8Array(32).fill(248), new Uint8Array(32).fill(255), new Uint8Array(32).fill(247)];
    expect(mintApiKey(() => draws.shift()!).key.slice(apiKeyPrefix.length, -6)).toBe('z'.repeat(32));
  });

  test('has every character of base 62 about equally often', () => {
    const counts = new Map<string, number>();
    for (let round = 0; round < 2_000; round++) {
      for (const character of mintApiKey(randomBytes).key.slice(apiKeyPrefix.length, -6)) counts.set(character, (counts.get(character) ?? 0) + 1);
    }
    expect(counts.size).toBe(62);
    // 64,000 draws over 62 characters: 1,032 expected, standard deviation 32. Ten deviations do not happen by chance.
    for (const count of counts.values()) expect(Math.abs(count - 64_000 / 62)).toBeLessThan(320);
  });
});

describe('what is no key is refused before anything is hashed or looked up', () => {
  const { key } = mintApiKey(countingBytes);

  test.each([
    ['empty', ''],
    ['the prefix alone', apiKeyPrefix],
    ['right first 20 characters, wrong rest', `${key.slice(0, 20)}${'A'.repeat(apiKeyLength - 20)}`],
    ['one character short', key.slice(0, -1)],
    ['one character long', `${key}0`],
    ['a trailing line feed', `${key.slice(0, -1)}\n`],
    ['a key behind a line feed', `\n${key}`],
    ['another prefix', key.replace('kt_live_', 'kt_test_')],
    ['SQL', `' OR 1=1--${'-'.repeat(apiKeyLength - 10)}`],
    ['NUL', `${key.slice(0, 12)}\0${key.slice(13)}`],
    ['non-ASCII of the same length', `${key.slice(0, 12)}é${key.slice(13)}`],
    ['full-width digits', `${key.slice(0, 12)}１${key.slice(13)}`],
    ['a lone surrogate', `${key.slice(0, 12)}\ud800${key.slice(13)}`],
    ['10 KB', key.repeat(Math.ceil(10_240 / key.length))],
    ['10 KB of nothing', 'A'.repeat(10_240)],
  ])('%s', (_name, text) => expect(parseApiKey(text)).toEqual({ ok: false }));

  test('every single wrong character and every swap of two neighbours', () => {
    const isKey = (text: string): boolean => parseApiKey(text).ok;
    for (let at = apiKeyPrefix.length; at < key.length; at++) {
      for (const character of '0AZaz9') {
        if (key[at] !== character) expect(isKey(key.slice(0, at) + character + key.slice(at + 1))).toBe(false);
      }
      const swapped = key.slice(0, at) + (key[at + 1] ?? '') + key[at]! + key.slice(at + 2);
      if (swapped !== key) expect(isKey(swapped)).toBe(false);
    }
  });

  test('any text whatever', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => !parseApiKey(text).ok));
    fc.assert(fc.property(fc.stringMatching(/^[0-9A-Za-z]{38}$/), (text) => !parseApiKey(apiKeyPrefix + text).ok), { numRuns: 500 });
  });
});
