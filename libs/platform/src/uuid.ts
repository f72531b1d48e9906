import { randomFillSync } from 'node:crypto';

/**
 * UUIDv7 (RFC 9562 §5.7, counter of §6.2 method 1): 48 bits of milliseconds, a 42-bit counter, 32 random bits.
 *
 *   tttttttt-tttt-7ccc-[10]ccc…-…rrrrrrrr
 *
 * Ids of one minter are strictly increasing as text, also when the clock stands still or steps back: an id is minted
 * once, and the order of minting is the order of an index on it. Ids are names, not secrets.
 */
export type MintId = (nowMs: number) => string;

/** Returns a uniformly distributed integer in [0, 2³²). */
export type Random32 = () => number;

const timeMsMax = 2 ** 48 - 1;
const counterMax = 2 ** 42 - 1;
const lowBits = 2 ** 30;

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

const format = (timeMs: number, counter: number, random: number): string => {
  const time = hex(timeMs, 12);
  const high = Math.floor(counter / lowBits);
  const low = counter % lowBits;
  // The variant's two bits (10) stand before the counter's lower 30 bits.
  const variantAndLow = hex(low + 2 ** 31, 8);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(high, 3)}-${variantAndLow.slice(0, 4)}-${variantAndLow.slice(4)}${hex(random, 8)}`;
};

/** Makes a minter with a state of its own. Throws a RangeError for a time that 48 bits cannot hold. */
export const createIdMinter = (random32: Random32): MintId => {
  let lastMs = -1;
  let counter = 0;
  return (nowMs) => {
    if (!Number.isSafeInteger(nowMs) || nowMs < 0 || nowMs > timeMsMax) throw new RangeError(`not a time in whole milliseconds: ${nowMs}`);
    if (nowMs > lastMs) {
      lastMs = nowMs;
      // A random start keeps processes apart; its top bit is 0, so 2⁴¹ ids are left before the counter can run over.
      counter = (random32() % 2 ** 9) * 2 ** 32 + random32();
    } else if (counter === counterMax) {
      lastMs += 1;
      counter = 0;
    } else {
      counter += 1;
    }
    return format(lastMs, counter, random32());
  };
};

/** Random words are drawn from the system in blocks: a system call for each id would cost more than the id. */
const wordsPerDraw = 1024;
const words = new Uint32Array(wordsPerDraw);
let nextWord = wordsPerDraw;

const systemRandom32: Random32 = () => {
  if (nextWord === wordsPerDraw) {
    randomFillSync(words);
    nextWord = 0;
  }
  return words[nextWord++]!;
};

/** The minter of this process: pass the clock's `nowMs()`. */
export const mintId: MintId = createIdMinter(systemRandom32);
