import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createTextAssembler, type DecodeTokens } from './text-assembler.js';

/** A vocabulary of byte strings: a token is its place in it. */
const assembleBytes = (tokens: readonly Uint8Array[]) => {
  const decode: DecodeTokens = (pending) => Buffer.concat(pending.map((token) => tokens[token]!)).toString('utf8');
  const assembler = createTextAssembler(decode);
  const pieces = tokens.map((_bytes, token) => assembler.push(token));
  return { pieces, rest: assembler.flush() };
};

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const [f0, f9f, f98, f80] = [0xf0, 0x9f, 0x98, 0x80];

describe('text out of tokens', () => {
  it('a character over four tokens comes whole, with the last of them', () => {
    expect(assembleBytes([bytes(f0), bytes(f9f), bytes(f98), bytes(f80)])).toEqual({ pieces: ['', '', '', '😀'], rest: '' });
  });

  it('what stands before an open character is not held back', () => {
    expect(assembleBytes([bytes(0x61, f0), bytes(f9f, f98), bytes(f80, 0x62)])).toEqual({ pieces: ['a', '', '😀b'], rest: '' });
  });

  it('tokens that each end one character and begin the next come as far as they are whole', () => {
    const { pieces, rest } = assembleBytes([bytes(0xe4, 0xbd), bytes(0xa0, 0xe5), bytes(0xa5, 0xbd, 0xe4), bytes(0xb8, 0x96)]);
    expect({ pieces, rest }).toEqual({ pieces: ['', '你', '好', '世'], rest: '' });
  });

  it('a character that never becomes whole is marked at the end', () => {
    expect(assembleBytes([bytes(0x61), bytes(f0, f9f)])).toEqual({ pieces: ['a', ''], rest: '\uFFFD' });
  });

  it('bytes that are no character do not hold the text back for ever', () => {
    const { pieces } = assembleBytes([bytes(0xff), bytes(0xff), bytes(0xff), bytes(0xff), bytes(0xff), bytes(0x61)]);
    expect(pieces.join('')).toBe('\uFFFD'.repeat(5) + 'a');
    expect(pieces.slice(0, 5).join('')).not.toBe('');
  });

  it('a stray byte before a character does not tear the character', () => {
    const { pieces, rest } = assembleBytes([bytes(f80), bytes(f0), bytes(f9f), bytes(f98), bytes(f80)]);
    expect(pieces.join('') + rest).toBe('\uFFFD😀');
  });

  it('a real U+FFFD that the model wrote is text', () => {
    const { pieces, rest } = assembleBytes([bytes(0xef, 0xbf, 0xbd), bytes(0x61)]);
    expect(pieces.join('') + rest).toBe('\uFFFDa');
  });

  it('the decoder is told what stood before, which some tokenizers need for spaces', () => {
    const decode: DecodeTokens = (tokens, previous) => `${previous.length > 0 ? ' ' : ''}w${tokens.join('')}`;
    const assembler = createTextAssembler(decode);
    expect([assembler.push(1), assembler.push(2)]).toEqual(['w1', ' w2']);
  });

  it('any text, cut into tokens at any bytes, comes back exactly and never with half a character', () => {
    const texts = fc.string({ unit: 'grapheme', maxLength: 20 });
    fc.assert(
      fc.property(texts, fc.array(fc.nat({ max: 80 }), { maxLength: 40 }), (text, cuts) => {
        const all = Buffer.from(text);
        const places = [...new Set([0, ...cuts.map((cut) => Math.min(cut, all.length)), all.length])].sort((one, other) => one - other);
        const tokens = places.slice(1).map((end, index) => all.subarray(places[index], end));
        const { pieces, rest } = assembleBytes(tokens);
        expect(pieces.join('') + rest).toBe(text);
        if (!text.includes('\uFFFD')) expect(pieces.join('')).not.toContain('\uFFFD');
      }),
      { numRuns: 1000 },
    );
  });
});
