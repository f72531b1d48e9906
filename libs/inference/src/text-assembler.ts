/**
 * Text out of tokens. A token is a run of bytes, and a character may take up to four of them out of as many tokens; what
 * is sent must never be half of one. The assembler keeps the tokens whose text does not end with a whole character yet.
 *
 * `decode` gives the text of some tokens that follow others, with U+FFFD for bytes that are no character (yet). The others
 * matter to tokenizers that drop a space at the beginning of a text.
 */
export type DecodeTokens = (tokens: readonly number[], previous: readonly number[]) => string;

export interface TextAssembler {
  /** The text that this token completes, empty while a character is open. */
  push(token: number): string;
  /** The rest at the end: U+FFFD for an incomplete character. */
  flush(): string;
}

const replacement = '\uFFFD';
/** A character has at most four bytes and a token at least one: one that is still open after so many is none. */
const characterBytesMax = 4;
const previousTokensMax = 4;

export const createTextAssembler = (decode: DecodeTokens): TextAssembler => {
  let previous: readonly number[] = [];
  let pending: number[] = [];
  /** How much of the text of `pending` has left already. */
  let emittedLength = 0;
  /** Tokens in a row that brought no new whole character. */
  let stalledTokens = 0;

  const settle = (text: string): string => {
    const rest = text.slice(emittedLength);
    previous = [...previous, ...pending].slice(-previousTokensMax);
    pending = [];
    emittedLength = 0;
    stalledTokens = 0;
    return rest;
  };

  return {
    push: (token) => {
      pending.push(token);
      const text = decode(pending, previous);
      if (!text.endsWith(replacement)) return settle(text);
      // Only the last one can still become a character: a decoder replaces an unfinished character by exactly one.
      const wholeLength = text.length - replacement.length;
      if (wholeLength > emittedLength) {
        const whole = text.slice(emittedLength, wholeLength);
        emittedLength = wholeLength;
        stalledTokens = 0;
        return whole;
      }
      stalledTokens += 1;
      return stalledTokens < characterBytesMax ? '' : settle(text);
    },
    flush: () => (pending.length === 0 ? '' : settle(decode(pending, previous))),
  };
};
