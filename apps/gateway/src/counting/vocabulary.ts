/**
 * The tokens of one byte-pair encoding, in one block of shared memory: every thread reads the same six megabytes, and a
 * lookup makes no garbage. Pure.
 *
 *   ranks.find(bytes of "hello", 0, 5) → 24912: the token's rank, which says how early its two halves merge
 *   ranks.find(bytes of "hellq", 0, 5) → -1
 */
export interface Vocabulary {
  readonly memory: SharedArrayBuffer;
  /** The rank of the token that is `bytes` from `start` to `end`, or -1. */
  find(bytes: Uint8Array, start: number, end: number): number;
}

export interface RankedToken {
  readonly bytes: Uint8Array;
  readonly rank: number;
}

/** Header: slots (a power of two), ranks. Then slots of `rank + 1`, the hash of each slot, where each rank's bytes begin, the bytes. */
const headerWords = 2;
/** Above that of every encoding known here (`o200k_base` ends at 199,997). A rank has to fit into 18 bits where words are merged. */
const ranksMax = 1 << 18;

const hashOf = (bytes: Uint8Array, start: number, end: number): number => {
  // FNV-1a, whose lower bits alone would collide for tokens that share an end.
  let hash = 0x811c9dc5;
  for (let index = start; index < end; index += 1) hash = Math.imul(hash ^ bytes[index]!, 0x01000193);
  return (hash ^ (hash >>> 15)) | 0;
};

const layoutOf = (memory: SharedArrayBuffer) => {
  const words = new Int32Array(memory, 0, headerWords);
  const [slots, ranks] = [words[0]!, words[1]!];
  const places = new Int32Array(memory, headerWords * 4, slots);
  const hashes = new Int32Array(memory, (headerWords + slots) * 4, slots);
  const offsets = new Int32Array(memory, (headerWords + 2 * slots) * 4, ranks + 1);
  const blob = new Uint8Array(memory, (headerWords + 2 * slots + ranks + 1) * 4);
  return { slots, places, hashes, offsets, blob };
};

/** Reads a vocabulary that `buildVocabulary` made, perhaps in another thread. */
export const openVocabulary = (memory: SharedArrayBuffer): Vocabulary => {
  const { slots, places, hashes, offsets, blob } = layoutOf(memory);
  const mask = slots - 1;
  const find = (bytes: Uint8Array, start: number, end: number): number => {
    const hash = hashOf(bytes, start, end);
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const rank = places[slot]! - 1;
      if (rank < 0) return -1;
      if (hashes[slot] !== hash) continue;
      const from = offsets[rank]!;
      if (offsets[rank + 1]! - from !== end - start) continue;
      let same = start;
      while (same < end && blob[from + same - start] === bytes[same]) same += 1;
      if (same === end) return rank;
    }
  };
  return { memory, find };
};

/** Needs every single byte as a token, as byte-level encodings have them. */
export const buildVocabulary = (tokens: readonly RankedToken[]): Vocabulary => {
  const ranks = tokens.reduce((most, { rank }) => Math.max(most, rank + 1), 0);
  if (ranks > ranksMax) throw new RangeError(`a rank is above ${ranksMax}`);
  const bytes = tokens.reduce((sum, token) => sum + token.bytes.length, 0);
  let slots = 1;
  while (slots < tokens.length * 2) slots *= 2;
  const memory = new SharedArrayBuffer((headerWords + 2 * slots + ranks + 1) * 4 + bytes);
  new Int32Array(memory, 0, headerWords).set([slots, ranks]);
  const { places, hashes, offsets, blob } = layoutOf(memory);
  const byRank: (Uint8Array | undefined)[] = [];
  for (const token of tokens) byRank[token.rank] = token.bytes;
  let offset = 0;
  for (let rank = 0; rank < ranks; rank += 1) {
    offsets[rank] = offset;
    const token = byRank[rank];
    // A rank that no token has: some encodings leave gaps for control tokens.
    if (!token) continue;
    blob.set(token, offset);
    offset += token.length;
    const hash = hashOf(token, 0, token.length);
    let slot = hash & (slots - 1);
    while (places[slot] !== 0) slot = (slot + 1) & (slots - 1);
    places[slot] = rank + 1;
    hashes[slot] = hash;
  }
  offsets[ranks] = offset;
  return openVocabulary(memory);
};
