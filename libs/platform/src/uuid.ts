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
  // The version (7) precedes the counter's upper 12 bits, the variant's two bits (10) its lower 30.
  const low = hex(2 ** 31 + (counter % lowBits), 8);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(Math.floor(counter / lowBits), 3)}-${low.slice(0, 4)}-${low.slice(4)}${hex(random, 8)}`;
};

/** Makes a minter with its own state. Throws a RangeError for a time that 48 bits cannot hold. */
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

/** Random words come from the system in blocks, because a system call per id would cost more than the id. */
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

/** A separate minter for ids whose time may be wrong; `mintId` would continue from that time. */
export const createSystemIdMinter = (): MintId => createIdMinter(systemRandom32);

/**
 * The minter of this process. If money depends on the ids, pass database time: usage is in the partition of its id, and the month of a
 * wrong clock may have been detached.
 */
export const mintId: MintId = createSystemIdMinter();
