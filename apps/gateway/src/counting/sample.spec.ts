import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { lengthOf, sampleOf } from './sample.js';

const size = { length: 100, pieceLength: 10 };

describe('a sample of a long text', () => {
  it('is the text itself where that fits', () => {
    expect(sampleOf(['a'.repeat(60), 'b'.repeat(40)], size, 0.5)).toEqual({ texts: ['a'.repeat(60), 'b'.repeat(40)], scale: 1 });
  });

  it('has about the asked length, cut from the text, for any texts and any offset', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 300 }), { minLength: 1, maxLength: 20 }), fc.double({ min: 0, max: 0.999_999, noNaN: true }), (texts, offset) => {
        const sample = sampleOf(texts, size, offset);
        if (lengthOf(texts) <= size.length) return;
        // A piece begins and ends between characters, so it may be one shorter or longer than asked.
        expect(Math.abs(lengthOf(sample.texts) - size.length)).toBeLessThanOrEqual(2 * size.length / size.pieceLength);
        expect(sample.scale).toBeCloseTo(lengthOf(texts) / lengthOf(sample.texts), 9);
        const all = texts.join('\u0000');
        for (const piece of sample.texts) expect(all.includes(piece)).toBe(true);
      }),
    );
  });

  it('takes every character equally often, so that no place hides dear text', () => {
    const length = 1_000;
    const taken = new Array<number>(length).fill(0);
    const text = Array.from({ length }, (_, index) => String.fromCharCode(0x4e00 + index)).join('');
    const offsets = 1_000;
    for (let step = 0; step < offsets; step += 1) {
      for (const piece of sampleOf([text.slice(0, 333), text.slice(333)], size, step / offsets).texts) for (const character of piece) taken[character.charCodeAt(0) - 0x4e00]! += 1;
    }
    // A tenth of the text is sampled, so a tenth of the offsets takes each character.
    for (const times of taken) expect(Math.abs(times - offsets / 10)).toBeLessThanOrEqual(10);
  });

  it('never cuts a pair of surrogates', () => {
    const text = '😀'.repeat(500);
    for (let step = 0; step < 50; step += 1) for (const piece of sampleOf([text], size, step / 50).texts) expect(piece.length % 2).toBe(0);
  });
});
