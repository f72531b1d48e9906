import { describe, expect, it } from '@jest/globals';
import * as cl100k from 'gpt-tokenizer/encoding/cl100k_base';
import * as o200k from 'gpt-tokenizer/encoding/o200k_base';
import * as p50k from 'gpt-tokenizer/encoding/p50k_base';
import * as r50k from 'gpt-tokenizer/encoding/r50k_base';
import fc from 'fast-check';
import { countWith, loadVocabulary, openEncoding, type TokenizerName } from './counting.jobs.js';
import { countText, createTextCounter, windowLength } from './text-counter.js';

/** The library's own count, which takes the square of a word's length. */
const libraries = { o200k_base: o200k, cl100k_base: cl100k, p50k_base: p50k, r50k_base: r50k };
const exactCount = (name: TokenizerName, text: string): number => libraries[name].countTokens(text, { disallowedSpecial: new Set<string>() });

const vocabularies = new Map(Object.keys(libraries).map((name) => [name as TokenizerName, loadVocabulary(name as TokenizerName)]));
const counterFor = (name: TokenizerName, lengthMax = windowLength) => createTextCounter(openEncoding(name, vocabularies.get(name)!), lengthMax);
const countAll = (name: TokenizerName, text: string): number => countText(counterFor(name), text).tokens;

let seed = 20_240_607;
const random = (below: number): number => {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
  return (seed >> 8) % below;
};
const repeat = (text: string) => (length: number): string => text.repeat(Math.ceil(length / text.length)).slice(0, length);
const from = (one: () => string) => (length: number): string => {
  let text = '';
  while (text.length < length) text += one();
  return text;
};
const inRange = (first: number, last: number) => from(() => String.fromCodePoint(first + random(last - first + 1)));

/** What makes a tokenizer slow or wrong: no spaces, one character, many bytes a character, marks that belong together. */
const worstTexts: readonly (readonly [string, (length: number) => string])[] = [
  ['Han without spaces', inRange(0x4e00, 0x9fa5)],
  ['common Han', repeat('的一是在不了有和人这中大为上个国我以要他')],
  ['rare Han outside the first plane', inRange(0x20000, 0x2a6d6)],
  ['Hangul', inRange(0xac00, 0xd7a3)],
  ['one letter', repeat('a')],
  ['one capital letter', repeat('A')],
  ['random letters', inRange(0x61, 0x7a)],
  ['random capital letters', inRange(0x41, 0x5a)],
  ['spaces', repeat(' ')],
  ['tabs', repeat('\t')],
  ['line feeds', repeat('\n')],
  ['carriage returns and line feeds', repeat('\r\n')],
  ['spaces and line feeds', repeat('   \n \n')],
  ['words and white space in any mixture', from(() => ['a', ' ', '  ', '\n', '\r\n', 'b.', '\t', '\u3000'][random(8)]!)],
  ['emoji joined by zero-width joiners', repeat('👩‍👩‍👧‍👦')],
  ['emoji with skin tones', repeat('👍🏽👍🏿')],
  ['flags', repeat('🇩🇪🇫🇷')],
  ['a letter under endless marks', (length) => `a${'\u0301'.repeat(length - 1)}`],
  ['zalgo', from(() => `z${'\u0316\u0317\u0318\u0319\u031a\u0335\u0336'.slice(0, random(8))}`)],
  ['base64', from(() => Buffer.from([random(256), random(256), random(256)]).toString('base64'))],
  ['hexadecimal', from(() => random(256).toString(16).padStart(2, '0'))],
  ['random bytes as Latin-1', inRange(0, 0xff)],
  ['minified JSON', from(() => JSON.stringify({ id: random(1_000), name: `n${random(99)}`, values: [1, 2.5, null, true], text: '"\\' }))],
  ['deep JSON', repeat('{"a":[')],
  ['digits', inRange(0x30, 0x39)],
  ['dashes', repeat('-')],
  ['operators', repeat('=-')],
  ['apostrophes', repeat("'")],
  ['contractions', repeat("I'll don't we've THEY'RE ")],
  ['escapes', repeat('"\\')],
  ['Thai', inRange(0xe01, 0xe3a)],
  ['Thai words', repeat('สวัสดีครับผมชื่อสมชาย')],
  ['Arabic', from(() => (random(8) === 0 ? ' ' : String.fromCharCode(0x627 + random(30))))],
  ['Hebrew', inRange(0x5d0, 0x5ea)],
  ['Devanagari', inRange(0x905, 0x94d)],
  ['lone surrogates', from(() => String.fromCharCode(0xd800 + random(0x800)))],
  ['any code unit', from(() => String.fromCharCode(random(0x10000)))],
  ['NUL', repeat('\0')],
  ['the names of control tokens', repeat('<|endoftext|><|im_start|>')],
  ['English', repeat('The quick brown fox jumps over the lazy dog; interoperability was reconsidered. ')],
];

/**
 * Each character costs at most this many steps: one to split it, and per byte of its three in UTF-8 three lookups and three
 * heap entries. A step takes some tens of nanoseconds.
 */
const stepsPerCharacterMax = 1 + 3 * 6 + 0.1;

describe('the count of a text', () => {
  it.each(worstTexts)('takes steps in proportion to its length: %s', (_name, make) => {
    for (const length of [1_000, 32_768]) {
      const counter = counterFor('o200k_base');
      const text = make(length);
      expect(countText(counter, text).end).toBe(text.length);
      expect(counter.work() / text.length).toBeLessThan(stepsPerCharacterMax);
    }
  });

  it.each(worstTexts)('is exactly the encoding’s within a window: %s', (_name, make) => {
    const text = make(600);
    for (const name of vocabularies.keys()) expect([name, countAll(name, text)]).toEqual([name, exactCount(name, text)]);
  });

  it.each(worstTexts)('differs by at most two tokens for each window that one word fills: %s', (_name, make) => {
    const [text, lengthMax] = [make(1_000), 128];
    const counted = countText(counterFor('o200k_base', lengthMax), text).tokens;
    expect(Math.abs(counted - exactCount('o200k_base', text))).toBeLessThanOrEqual((2 * text.length) / lengthMax);
  });

  it('is exact over many windows wherever words are shorter than one', () => {
    const words = worstTexts.map(([, make]) => make(30)).concat(['word', ' ', '\n\n', "'ll", '12345', '...']);
    for (const name of ['o200k_base', 'cl100k_base'] as const) {
      const text = from(() => words[random(words.length)]!)(3 * windowLength);
      const exact = exactCount(name, text);
      expect(countAll(name, text)).toBe(exact);
      for (const lengthMax of [512, 1_000]) expect([lengthMax, countText(counterFor(name, lengthMax), text).tokens]).toEqual([lengthMax, exact]);
    }
  });

  it('is the same when the text comes in pieces, however it is cut', () => {
    const pieces = fc.array(fc.oneof(fc.string({ unit: 'grapheme', maxLength: 30 }), fc.constantFrom(' ', '\n', "'", "'ll", 'word', '  \n', '漢字', '👩‍👩‍👧')), { maxLength: 60 });
    fc.assert(
      fc.property(pieces, (chunks) => {
        const counter = counterFor('o200k_base');
        let tokens = 0;
        let tail = '';
        for (const chunk of chunks) {
          tail += chunk;
          const counted = countText(counter, tail, { isWhole: false });
          tokens += counted.tokens;
          tail = tail.slice(counted.end);
        }
        expect(tokens + countText(counter, tail).tokens).toBe(countText(counter, chunks.join('')).tokens);
      }),
      { numRuns: 300 },
    );
  });

  it('ends early at the most that can be charged', () => {
    const counter = counterFor('o200k_base');
    const text = 'word '.repeat(1_000_000);
    expect(countText(counter, text, { tokensMax: 100 }).tokens).toBeGreaterThanOrEqual(100);
    expect(counter.work()).toBeLessThan(4 * windowLength);
  });

  it('of several texts is the sum of each', () => {
    const texts = ['one two', '', '漢字', "it's"];
    const each = texts.reduce((sum, text) => sum + exactCount('o200k_base', text), 0);
    expect(countWith(counterFor('o200k_base'), texts, true, Infinity).tokens).toBe(each);
  });
});
