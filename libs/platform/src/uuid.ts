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

/** One text at a time is written here; its dashes stay. */
const text = Buffer.alloc(36, '-');
const digits = Buffer.from('0123456789abcdef');

const write = (at: number, count: number, bits: number): void => {
  let rest = bits;
  for (let place = at + count - 1; place >= at; place -= 1) {
    text[place] = digits[rest & 0xf]!;
    rest >>>= 4;
  }
};

/** Digit by digit, into a text that is made once: half of what bytes cost that are printed and then cut at the dashes. */
const format = (timeMs: number, counter: number, random: number): string => {
  write(0, 8, Math.floor(timeMs / 2 ** 16));
  write(9, 4, timeMs % 2 ** 16);
  // The version's four bits (7) stand before the counter's upper 12, the variant's two (10) before its lower 30.
  write(14, 4, 0x7000 + Math.floor(counter / lowBits));
  const low = 2 ** 31 + (counter % lowBits);
  write(19, 4, low >>> 16);
  write(24, 4, low & 0xffff);
  write(28, 8, random);
  return text.toString('latin1');
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

/** A minter apart from `mintId`: for ids whose time may be wrong, after which `mintId` would go on from there. */
export const createSystemIdMinter = (): MintId => createIdMinter(systemRandom32);

/**
 * The minter of this process. Where money depends on the ids, pass database time: usage lies in the partition of its id, and the month of
 * a wrong clock may have left the database.
 */
export const mintId: MintId = createSystemIdMinter();
