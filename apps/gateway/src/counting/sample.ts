/**
 * A sample of a text that is too long to be counted whole: pieces of equal length, evenly spread, from an offset that
 * nobody can foresee. Every character has the same chance to be in it, wherever it stands, so dear text cannot be hidden
 * where nobody looks, and on average the scaled count is the true one. Pure: the caller draws the offset.
 *
 *   text of 8 Mi characters, sample of 1 Mi in pieces of 4,096: 256 pieces, one at a random place in every 32 Ki
 */
export interface Sample {
  readonly texts: readonly string[];
  /** The true count is the sample's times this. */
  readonly scale: number;
}

export interface SampleSize {
  readonly length: number;
  readonly pieceLength: number;
}

export const lengthOf = (texts: readonly string[]): number => texts.reduce((sum, text) => sum + text.length, 0);

const isLowSurrogate = (unit: number): boolean => (unit & 0xfc00) === 0xdc00;

/** A place within a surrogate pair is moved before it. */
const wholeAt = (text: string, place: number): number => (isLowSurrogate(text.charCodeAt(place)) ? place - 1 : place);

/** Calls `take` with what stands from `start` to `end` in the texts, read as one. Asks come in ascending order. */
const createReader = (texts: readonly string[], take: (piece: string) => void): ((start: number, end: number) => void) => {
  let index = 0;
  let before = 0;
  return (start, end) => {
    while (index < texts.length && before + texts[index]!.length <= start) {
      before += texts[index]!.length;
      index += 1;
    }
    for (let at = index, base = before; at < texts.length && base < end; base += texts[at]!.length, at += 1) {
      const text = texts[at]!;
      const from = wholeAt(text, Math.max(0, start - base));
      const to = wholeAt(text, Math.min(text.length, end - base));
      if (to > from) take(text.slice(from, to));
    }
  };
};

/** `offset` is a random number from 0 to below 1. Texts that fit are the sample themselves. */
export const sampleOf = (texts: readonly string[], size: SampleSize, offset: number): Sample => {
  const length = lengthOf(texts);
  if (length <= size.length) return { texts, scale: 1 };
  const pieces = Math.max(1, Math.floor(size.length / size.pieceLength));
  const stride = length / pieces;
  const sampled: string[] = [];
  const read = createReader(texts, (piece) => sampled.push(piece));
  const starts = Array.from({ length: pieces }, (_, piece) => Math.floor((piece + offset) * stride));
  // The last piece may go on at the beginning, which gives the ends of a text the chance that its middle has.
  const beyond = starts.at(-1)! + size.pieceLength - length;
  if (beyond > 0) read(0, beyond);
  for (const start of starts) read(start, Math.min(length, start + size.pieceLength));
  return { texts: sampled, scale: length / Math.max(1, lengthOf(sampled)) };
};
