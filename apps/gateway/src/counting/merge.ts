import type { Vocabulary } from './vocabulary.js';

/**
 * Counts the tokens of one word by byte-pair encoding: of all neighbours the pair of the lowest rank merges, the leftmost
 * first, until no pair is a token. The textbook's loop looks at every pair before each merge and takes the square of the
 * word's length, which a text without spaces makes 16 seconds of. Here a heap gives the next pair, so `n` bytes cost at
 * most `3n` lookups and as many entries of the heap.
 */
export interface WordCounter {
  /** Tokens of `bytes` up to `length`, which is at most `wordBytesMax`. */
  count(bytes: Uint8Array, length: number): number;
  /** Pairs looked up and heap entries taken so far: what the time is proportional to. */
  steps(): number;
}

/** A heap entry is `rank × 2¹⁴ + place` in 32 bits; `ranksMax` leaves it 18 of them for the rank. */
const placeBits = 14;
export const wordBytesMax = 1 << placeBits;
const noRank = -1;

/** The least entry first. */
class Heap {
  private readonly entries = new Uint32Array(3 * wordBytesMax);
  private size = 0;

  isEmpty(): boolean {
    return this.size === 0;
  }

  push(entry: number): void {
    const { entries } = this;
    let place = this.size;
    this.size += 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (entries[parent]! <= entry) break;
      entries[place] = entries[parent]!;
      place = parent;
    }
    entries[place] = entry;
  }

  /** Not of an empty heap. */
  pop(): number {
    const { entries } = this;
    const least = entries[0]!;
    this.size -= 1;
    const { size } = this;
    const entry = entries[size]!;
    let place = 0;
    for (let child = 1; child < size; child = 2 * place + 1) {
      if (child + 1 < size && entries[child + 1]! < entries[child]!) child += 1;
      if (entries[child]! >= entry) break;
      entries[place] = entries[child]!;
      place = child;
    }
    entries[place] = entry;
    return least;
  }
}

export const createWordCounter = ({ find }: Vocabulary): WordCounter => {
  const next = new Int32Array(wordBytesMax + 1);
  const previous = new Int32Array(wordBytesMax + 1);
  /** The rank of the token that a part makes with the part behind it. */
  const ranks = new Int32Array(wordBytesMax + 1);
  const heap = new Heap();
  let steps = 0;

  /** Looks up what the part at `place` makes with its neighbour, which ends at `end`. */
  const lookUp = (bytes: Uint8Array, place: number, end: number): void => {
    steps += 1;
    const rank = find(bytes, place, end);
    ranks[place] = rank;
    if (rank !== noRank) heap.push(rank * wordBytesMax + place);
  };

  const count = (bytes: Uint8Array, length: number): number => {
    if (length > wordBytesMax) throw new RangeError('the word is too long');
    for (let place = 0; place < length; place += 1) {
      next[place] = place + 1;
      previous[place] = place - 1;
      ranks[place] = noRank;
    }
    for (let place = 0; place + 1 < length; place += 1) lookUp(bytes, place, place + 2);
    let tokens = length;
    while (!heap.isEmpty()) {
      const entry = heap.pop();
      steps += 1;
      const place = entry & (wordBytesMax - 1);
      // An entry is stale when its pair has merged with something else since.
      if (ranks[place] !== entry >>> placeBits) continue;
      const gone = next[place]!;
      const after = next[gone]!;
      next[place] = after;
      previous[after] = place;
      ranks[gone] = noRank;
      tokens -= 1;
      if (after < length) lookUp(bytes, place, next[after]!);
      else ranks[place] = noRank;
      const before = previous[place]!;
      if (before >= 0) lookUp(bytes, before, after);
    }
    return tokens;
  };
  return { count, steps: () => steps };
};
