import { describe, expect, it } from '@jest/globals';
import { deadSessions, lookGapMsMax, nothingObserved, observe, type Observation } from './reaping.js';

const ttlMs = 3_000;

/** What a reaper sees that looks at these moments: the counter of each session, by its name. */
const look = (looks: readonly [atMs: number, beats: Record<string, number>][], before: Observation = nothingObserved): Observation =>
  looks.reduce((observation, [atMs, beats]) => observe(observation, new Map(Object.entries(beats).map(([id, beat]) => [id, BigInt(beat)])), atMs, ttlMs), before);

const dead = (...looks: [atMs: number, beats: Record<string, number>][]): string[] => deadSessions(look(looks), ttlMs).map(({ sessionId }) => sessionId);

describe('a session', () => {
  it('that was seen silent for its time to live is dead', () => {
    expect(dead([0, { a: 7 }], [1_500, { a: 7 }], [2_999, { a: 7 }])).toEqual([]);
    expect(dead([0, { a: 7 }], [1_500, { a: 7 }], [3_000, { a: 7 }])).toEqual(['a']);
  });

  it('that was heard of in between is not', () => {
    expect(dead([0, { a: 7 }], [1_500, { a: 8 }], [3_000, { a: 8 }])).toEqual([]);
    expect(dead([0, { a: 7 }], [1_500, { a: 8 }], [3_000, { a: 8 }], [4_500, { a: 8 }])).toEqual(['a']);
  });

  it('is not dead at first sight, however old its heartbeat may be', () => {
    expect(dead([1_000_000, { a: 7 }])).toEqual([]);
  });

  it('lives when its counter went back: only a counter that stands still is silence', () => {
    expect(dead([0, { a: 7 }], [1_500, { a: 3 }], [3_000, { a: 3 }])).toEqual([]);
  });

  it('is judged by its own silence alone', () => {
    expect(dead([0, { a: 1, b: 1 }], [1_500, { a: 1, b: 2, c: 1 }], [3_000, { a: 1, b: 2, c: 1 }])).toEqual(['a']);
  });

  it('that was reaped is forgotten', () => {
    const observation = look([[0, { a: 1, b: 1 }], [1_500, { b: 1 }]]);
    expect([...observation.beats.keys()]).toEqual(['b']);
  });
});

describe('a time in which the database did not answer', () => {
  const gapMs = lookGapMsMax(ttlMs) + 1;

  it('counts as nobody’s silence: it begins again', () => {
    expect(dead([0, { a: 7 }], [1_400, { a: 7 }], [2_900, { a: 7 }], [2_900 + gapMs, { a: 7 }])).toEqual([]);
    const looks = [2_900 + gapMs, 2_900 + gapMs + 1_500, 2_900 + gapMs + ttlMs].map((atMs): [number, Record<string, number>] => [atMs, { a: 7 }]);
    expect(dead([0, { a: 7 }], ...looks.slice(0, 2))).toEqual([]);
    expect(dead([0, { a: 7 }], ...looks)).toEqual(['a']);
  });

  it('kills nobody however short the time to live is', () => {
    expect(dead([0, { a: 7 }], [ttlMs, { a: 7 }])).toEqual([]);
    expect(lookGapMsMax(1_000)).toBeLessThan(1_000);
    expect(lookGapMsMax(600_000)).toBe(5_000);
  });

  it('that was short changes nothing', () => {
    expect(dead([0, { a: 7 }], [gapMs - 1, { a: 7 }], [2 * (gapMs - 1), { a: 7 }])).toEqual(['a']);
  });
});
