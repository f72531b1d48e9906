import type { ScannedBody } from '@kilotoken/contracts';

/**
 * How much work a body is to read, in bytes of plain ASCII text, which take about 4 ns each from the scan to the lane's
 * body. Measured on the worst bodies of each kind: a key is the dearest thing, since an object with many keys becomes a hash
 * table; text beyond ASCII is decoded, measured and normalized. Pure.
 */
const perKey = 256;
const perValue = 64;
const perByteBeyondAscii = 4;

/** Bodies of more bytes than this go to a worker thread unseen. */
export const loopBytesMax = 64 * 1024;
/** What one body may cost on the event loop: about a millisecond. */
export const loopWorkMax = 256 * 1024;

export const workOf = ({ text, isAscii, keyCount, valueCount }: ScannedBody, bytes: number): number =>
  (isAscii ? text.length : bytes * perByteBeyondAscii) + keyCount * perKey + valueCount * perValue;
