import type { ScannedBody } from '@kilotoken/contracts';

/**
 * How much work a body is to read, in bytes of plain ASCII text, which take about 4 ns each from the scan to the lane's
 * body. Measured on the worst bodies of each kind: a key is the dearest thing in any of them, since objects with many keys
 * become hash tables, and schemas look at each; text beyond ASCII is decoded, measured and normalized; a body with long
 * numbers is parsed and printed by slower code. Pure.
 */
const perKey = 512;
const perValue = 64;
const perByteBeyondAscii = 8;
const perByteWithLongNumbers = 16;
/** An address of an image or a file is taken apart and judged, which takes 20 to 30 microseconds; its part has four keys. */
const perKeyBesideMedia = 2_048;
/** Texts in every part with an address, unless it is written in escapes. */
const mayHaveMedia = /image|file|\\u/;

/** Bodies of more bytes than this go to a worker thread unseen. */
export const loopBytesMax = 64 * 1024;
/** The most work of one body on the event loop: about a millisecond, and a few for the worst bodies. */
export const loopWorkMax = 256 * 1024;

export const workOf = ({ text, isAscii, hasLongNumbers, keyCount, valueCount }: ScannedBody, bytes: number): number => {
  const perByte = (isAscii ? 1 : perByteBeyondAscii) + (hasLongNumbers ? perByteWithLongNumbers : 0);
  return bytes * perByte + keyCount * (mayHaveMedia.test(text) ? perKeyBesideMedia : perKey) + valueCount * perValue;
};
