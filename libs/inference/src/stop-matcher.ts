/**
 * Ends a text before the first stop string in it. Text comes in pieces, so what could be the beginning of a stop string is
 * held back until the next piece tells. The cut is where the stop string begins that is complete first; where two are
 * complete at once, the longer one counts. Pieces of any size thus give the same text.
 */
export interface StopMatch {
  /** The text that may be sent. */
  readonly text: string;
  /** A stop string is complete: nothing follows. */
  readonly stopped: boolean;
}

export interface StopMatcher {
  push(piece: string): StopMatch;
  /** The text that was held back, when the answer ends by itself. */
  flush(): string;
}

export const createStopMatcher = (stops: readonly string[]): StopMatcher => {
  if (stops.some((stop) => stop === '')) throw new RangeError('an empty stop string would end every text at its beginning');
  if (stops.length === 0) return { push: (piece) => ({ text: piece, stopped: false }), flush: () => '' };
  let held = '';
  return {
    push: (piece) => {
      const text = held + piece;
      const cut = findCut(text, stops);
      if (cut !== null) {
        held = '';
        return { text: text.slice(0, cut), stopped: true };
      }
      const heldLength = openLength(text, stops);
      held = text.slice(text.length - heldLength);
      return { text: text.slice(0, text.length - heldLength), stopped: false };
    },
    flush: () => {
      const rest = held;
      held = '';
      return rest;
    },
  };
};

/** Where the stop string begins that ends first, or null. */
const findCut = (text: string, stops: readonly string[]): number | null => {
  let first: { start: number; end: number } | null = null;
  for (const stop of stops) {
    const start = text.indexOf(stop);
    if (start === -1) continue;
    const end = start + stop.length;
    if (!first || end < first.end || (end === first.end && start < first.start)) first = { start, end };
  }
  return first && first.start;
};

/** The length of the longest end of the text that is the beginning of a stop string. */
const openLength = (text: string, stops: readonly string[]): number => {
  let longest = 0;
  for (const stop of stops) {
    for (let length = Math.min(stop.length - 1, text.length); length > longest; length--) {
      if (text.endsWith(stop.slice(0, length))) {
        longest = length;
        break;
      }
    }
  }
  return longest;
};
