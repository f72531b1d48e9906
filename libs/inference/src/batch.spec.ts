import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { shareBatch } from './batch.js';

describe('the tokens of a decode', () => {
  it.each([
    ['those that generate get one each', [0, 0, 0], 8, [1, 1, 1]],
    ['prompts share what is left, first come first', [0, 300, 40], 256, [1, 255, 0]],
    ['prompts that fit are computed whole', [0, 45, 40], 256, [1, 45, 40]],
    ['a generating sequence gets its token however late it came', [300, 0], 256, [255, 1]],
    ['nobody, nothing', [], 256, []],
  ])('%s', (_name, left, budget, shares) => {
    expect(shareBatch(left, budget)).toEqual(shares);
  });

  it('never exceed the budget, never leave a generator out, and never idle while a prompt waits', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 600 }), { maxLength: 16 }), fc.integer({ min: 17, max: 512 }), (left, budget) => {
        const shares = shareBatch(left, budget);
        const used = shares.reduce((sum, share) => sum + share, 0);
        expect(used).toBeLessThanOrEqual(budget);
        left.forEach((tokens, index) => (tokens === 0 ? expect(shares[index]).toBe(1) : expect(shares[index]).toBeLessThanOrEqual(tokens)));
        const hasWork = left.some((tokens, index) => tokens > 0 && shares[index]! < tokens);
        if (hasWork) expect(used).toBe(budget);
      }),
    );
  });

  it('more generators than tokens is a mistake of the caller', () => {
    expect(() => shareBatch([0, 0, 0], 2)).toThrow(RangeError);
  });
});
