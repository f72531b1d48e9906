import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createIdMinter, mintId } from './uuid.js';

const canonicalV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const timeMs = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });

const timeOf = (id: string): number => Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);

describe('UUIDv7', () => {
  it('the text order of ids is the order of minting, however the clock steps and whatever the random words are', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.oneof(timeMs, fc.integer({ min: 0, max: 3 })), word), { minLength: 2, maxLength: 60 }), (steps) => {
        let random = 0;
        const mint = createIdMinter(() => random);
        const ids = steps.map(([nowMs, next]) => {
          random = next;
          return mint(nowMs);
        });
        expect([...ids].sort()).toEqual(ids);
        expect(new Set(ids).size).toBe(ids.length);
      }),
    );
  });

  it('every id is a canonical version 7 UUID that begins with its time', () => {
    fc.assert(
      fc.property(timeMs, word, (nowMs, random) => {
        const id = createIdMinter(() => random)(nowMs);
        expect(id).toMatch(canonicalV7);
        expect(timeOf(id)).toBe(nowMs);
      }),
    );
  });

  it('the bits lie where RFC 9562 puts them', () => {
    // Counter = 0x0ff_ffffffff: 12 bits 0x3ff above, 30 bits all set below the variant; then 32 random bits.
    const words = [0xffffffff, 0xffffffff, 0x01234567];
    const id = createIdMinter(() => words.shift()!)(0x017f22e279b0);
    expect(id).toBe('017f22e2-79b0-77ff-bfff-ffff01234567');
  });

  it('a clock that stands still for a thousand ids and then steps back an hour keeps the order', () => {
    const mint = createIdMinter(() => 7);
    const hourMs = 3_600_000;
    const ids = [...Array.from({ length: 1_000 }, () => mint(10 * hourMs)), mint(9 * hourMs), mint(10 * hourMs + 1)];
    expect([...ids].sort()).toEqual(ids);
    expect(timeOf(ids.at(-1)!)).toBe(10 * hourMs + 1);
  });

  it.each([-1, 0.5, Number.NaN, 2 ** 48])('%p is refused as a time', (nowMs) => {
    expect(() => createIdMinter(() => 0)(nowMs)).toThrow(RangeError);
  });

  it("the process's own minter does not repeat itself over several draws of randomness", () => {
    const ids = Array.from({ length: 5_000 }, (_, index) => mintId(1_000 + index));
    expect(new Set(ids.map((id) => id.slice(-8))).size).toBeGreaterThan(4_990);
    expect([...ids].sort()).toEqual(ids);
  });
});
