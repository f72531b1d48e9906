import { createWordCounter, wordBytesMax } from './merge.js';
import type { Vocabulary } from './vocabulary.js';

/**
 * Counts a text's tokens in windows of bounded work. A window's text is split into words by the encoding's own pattern and
 * each word is counted by itself, as the encoding does, so the windows' sum is the exact count. Words that touch a window's
 * end may go on behind it and are left for the next window. Only a word longer than a whole window is cut.
 */
export interface Encoding {
  readonly vocabulary: Vocabulary;
  /** Splits a text into words, with the flags `g` and `u`. */
  readonly words: RegExp;
}

export interface Counted {
  readonly tokens: number;
  /** Where the next window begins. */
  readonly end: number;
}

export interface TextCounter {
  /**
   * Counts from `start` for one window. Where `isWhole` is false, text will follow behind this one and what may go on there
   * is left out; `end` may then be `start`.
   */
  window(text: string, start: number, isWhole: boolean): Counted;
  /** The work so far, in steps of bounded time. */
  work(): number;
}

/** Its bytes in UTF-8, at most three for each unit of UTF-16, fit into one word. */
export const windowLength = 4_096;
/** How far from a window's end a word may still change: a contraction such as `'ll` joins the word before it. */
const tailLength = 4;

const isLowSurrogate = (unit: number): boolean => (unit & 0xfc00) === 0xdc00;

export const createTextCounter = ({ vocabulary, words: pattern }: Encoding, lengthMax = windowLength): TextCounter => {
  // Its place in a text is kept in the pattern itself: a shared one would be moved by others.
  const words = new RegExp(pattern.source, pattern.flags);
  const word = createWordCounter(vocabulary);
  const encoder = new TextEncoder();
  const bytes = new Uint8Array(wordBytesMax);
  let windowed = 0;

  const countWord = (text: string): number => {
    const { written } = encoder.encodeInto(text, bytes);
    return vocabulary.find(bytes, 0, written) === -1 ? word.count(bytes, written) : 1;
  };

  const window = (text: string, start: number, isWhole: boolean): Counted => {
    let limit = Math.min(start + lengthMax, text.length);
    const isLast = isWhole && limit === text.length;
    if (!isLast && limit > start && isLowSurrogate(text.charCodeAt(limit))) limit -= 1;
    const piece = text.slice(start, limit);
    windowed += piece.length;
    // A run of white space at the end splits in a way that depends on what follows it.
    const settledLength = isLast ? piece.length : Math.min(piece.length - tailLength, piece.trimEnd().length);
    let tokens = 0;
    let end = 0;
    words.lastIndex = 0;
    for (let match = words.exec(piece); match; match = words.exec(piece)) {
      const wordEnd = match.index + match[0].length;
      // A word that fills the window is cut at its end: otherwise the count would never get on.
      if (wordEnd > settledLength && (end > 0 || piece.length < lengthMax - 1)) break;
      tokens += countWord(match[0]);
      end = wordEnd;
    }
    return { tokens, end: start + end };
  };
  return { window, work: () => windowed + word.steps() };
};

/** Counts windows from `start` until the text is over or `tokensMax` is reached: what goes beyond that is not charged. */
export const countText = (counter: TextCounter, text: string, { start = 0, isWhole = true, tokensMax = Infinity } = {}): Counted => {
  let tokens = 0;
  let end = start;
  while (end < text.length && tokens < tokensMax) {
    const counted = counter.window(text, end, isWhole);
    if (counted.end === end) break;
    tokens += counted.tokens;
    end = counted.end;
  }
  return { tokens, end };
};
