import { describe, expect, it } from '@jest/globals';
import type { TokenCounts } from '@kilotoken/contracts';
import { counterName, countersOf, startCounting } from './accumulator.js';

const at = (text: string): number => Date.parse(`${text}Z`);
const counter = (accountRootId: string, month: string) => ({ accountRootId, accumulator: 'tokens:month', periodMs: at(`${month}-01T00:00:00`) });

describe('the counters that a rating locks', () => {
  const group = (accountRootId: string, ...moments: string[]) => ({
    accountRootId,
    firstSettledMs: at(moments[0]!),
    lastSettledMs: at(moments.at(-1)!),
    rows: moments.map((moment) => ({ settledAtMs: at(moment) })),
  });

  it('are of the month in which its rows settled, once an account tree', () => {
    const groups = [group('a', '2026-10-01T00:00:00', '2026-10-31T23:59:59.999'), group('a', '2026-10-05T00:00:00'), group('b', '2026-10-07T00:00:00', '2026-10-07T00:00:01')];
    expect(countersOf(groups)).toEqual([counter('a', '2026-10'), counter('b', '2026-10')]);
  });

  it('are of each month that a row is of, and of no other', () => {
    const months = [counter('a', '2026-10'), counter('a', '2026-11'), counter('a', '2027-01')];
    expect(countersOf([group('a', '2026-10-31T23:59:59.999', '2026-11-01T00:00:00', '2027-01-01T00:00:00')])).toEqual(months);
  });

  it('are all that rows count on', () => {
    const moments = ['2026-09-30T23:59:59.999', '2026-10-01T00:00:00', '2026-10-31T23:59:59.999'];
    const counting = startCounting();
    for (const moment of moments) counting.count('a', { counts: { input: 1 }, settledAtMs: at(moment) });
    expect(counting.increments().map(counterName)).toEqual(countersOf([group('a', ...moments)]).map(counterName));
  });
});

describe('what rows count', () => {
  const counted = (...counts: TokenCounts[]): bigint[] => {
    const counting = startCounting();
    for (const each of counts) counting.count('a', { counts: each, settledAtMs: at('2026-10-05T00:00:00') });
    return counting.increments().map((increment) => increment.counted);
  };

  it('is all tokens of every class', () => expect(counted({ input: 3, output: 4 }, { cached_read: 5 })).toEqual([12n]));

  it('loses no token beyond 2⁵³', () => expect(counted({ input: Number.MAX_SAFE_INTEGER }, { input: Number.MAX_SAFE_INTEGER })).toEqual([2n * (2n ** 53n - 1n)]));

  it.each<[string, unknown]>([
    ['a part of a token', { input: 2.5 }],
    ['less than none', { input: -1 }],
    ['no number', { input: 'many' }],
    ['a class that nobody knows', { words: 5 }],
  ])('is nothing for %s', (_name, counts) => expect(counted(counts as TokenCounts)).toEqual([0n]));
});
