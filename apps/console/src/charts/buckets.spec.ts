import { describe, expect, it } from '@jest/globals';
import { bucketKey, bucketsBetween } from './buckets.ts';

const keys = (...args: Parameters<typeof bucketsBetween>): string[] => bucketsBetween(...args).map(({ key }) => key);

describe('buckets', () => {
  it('are the calendar days of the zone, also where the clocks change', () => {
    // Berlin's 25 October has 25 hours.
    expect(keys('2026-10-23T22:00:00Z', '2026-10-26T23:00:00Z', 'DAY', 'Europe/Berlin')).toEqual(['2026-10-24', '2026-10-25', '2026-10-26']);
  });

  it('are each month once', () => {
    expect(keys('2025-12-01T00:00:00Z', '2026-03-15T00:00:00Z', 'MONTH', 'UTC')).toEqual(['2025-12', '2026-01', '2026-02', '2026-03']);
  });

  it.each([
    ['HOUR', 24],
    ['MINUTE', 1_440],
  ] as const)('of a day are as many as it has: %s', (grain, count) => {
    expect(keys('2026-11-01T00:00:00Z', '2026-11-02T00:00:00Z', grain, 'Asia/Shanghai')).toHaveLength(count);
  });

  it('hold the moments that the api names them by', () => {
    const [first] = bucketsBetween('2026-11-01T00:00:00Z', '2026-11-02T00:00:00Z', 'HOUR', 'UTC');
    expect(bucketKey('2026-11-01T00:59:59.999999Z', 'HOUR', 'UTC')).toBe(first!.key);
  });
});
