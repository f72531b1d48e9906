import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createStopMatcher } from './stop-matcher.js';

const feed = (pieces: readonly string[], stops: readonly string[]): { text: string; stopped: boolean } => {
  const matcher = createStopMatcher(stops);
  let sent = '';
  for (const piece of pieces) {
    const { text, stopped } = matcher.push(piece);
    sent += text;
    if (stopped) return { text: sent, stopped };
  }
  return { text: sent + matcher.flush(), stopped: false };
};

describe('a stop string', () => {
  it.each([
    ['ends the text before it', ['one END two'], ['END'], 'one ', true],
    ['is found across pieces', ['one E', 'N', 'D two'], ['END'], 'one ', true],
    ['is given back when it was only the beginning of one', ['one EN', 'CORE'], ['END'], 'one ENCORE', false],
    ['that begins inside of a false beginning is found', ['ababab', 'c'], ['abac', 'babc'], 'aba', true],
    ['is given back at the end of the text', ['one EN'], ['END'], 'one EN', false],
    ['at the beginning leaves nothing', ['END'], ['END'], '', true],
    ['that is complete first counts, not the one that begins first', ['abcd'], ['abcd', 'bc'], 'a', true],
    ['that is the longer of two that end together counts', ['xabc'], ['bc', 'abc'], 'x', true],
    ['may be white space', ['a\n', '\nb'], ['\n\n'], 'a', true],
    ['may be beyond the basic plane', ['a\u{1F600}b'], ['\u{1F600}'], 'a', true],
  ])('%s', (_name, pieces, stops, text, stopped) => {
    expect(feed(pieces, stops)).toEqual({ text, stopped });
  });

  it('sends what cannot be part of one at once', () => {
    const matcher = createStopMatcher(['END']);
    expect(matcher.push('hello')).toEqual({ text: 'hello', stopped: false });
    expect(matcher.push(' E')).toEqual({ text: ' ', stopped: false });
  });

  it('without any, everything passes at once', () => {
    expect(feed(['a', '', 'b'], [])).toEqual({ text: 'ab', stopped: false });
  });

  it('an empty one is refused', () => {
    expect(() => createStopMatcher([''])).toThrow(RangeError);
  });
});

describe('any text in any pieces', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 30 });
  const stops = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 });
  const cuts = fc.array(fc.nat({ max: 30 }), { maxLength: 10 });

  const split = (text: string, places: readonly number[]): string[] => {
    const sorted = [0, ...places.map((place) => Math.min(place, text.length)).sort((one, other) => one - other), text.length];
    return sorted.slice(1).map((end, index) => text.slice(sorted[index], end));
  };

  /** By definition: the shortest beginning of the text that ends with a stop string, without the longest such. */
  const byDefinition = (text: string, all: readonly string[]) => {
    for (let end = 1; end <= text.length; end++) {
      const ending = all.filter((stop) => text.slice(0, end).endsWith(stop)).sort((one, other) => other.length - one.length)[0];
      if (ending !== undefined) return { text: text.slice(0, end - ending.length), stopped: true };
    }
    return { text, stopped: false };
  };

  it('is cut where the definition says', () => {
    fc.assert(fc.property(letters, stops, cuts, (text, all, places) => expect(feed(split(text, places), all)).toEqual(byDefinition(text, all))), { numRuns: 2000 });
  });
});
