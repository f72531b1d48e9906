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

const bytes = Buffer.alloc(16);

/** By way of bytes: numbers beyond 31 bits are slow to print in another base, and an id is made for every request. */
const format = (timeMs: number, counter: number, random: number): string => {
  bytes.writeUIntBE(timeMs, 0, 6);
  // The version's four bits (7) stand before the counter's upper 12, the variant's two (10) before its lower 30.
  bytes.writeUInt16BE(0x7000 + Math.floor(counter / lowBits), 6);
  bytes.writeUInt32BE(2 ** 31 + (counter % lowBits), 8);
  bytes.writeUInt32BE(random, 12);
  const text = bytes.toString('hex');
  return `${text.slice(0, 8)}-${text.slice(8, 12)}-${text.slice(12, 16)}-${text.slice(16, 20)}-${text.slice(20)}`;
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
