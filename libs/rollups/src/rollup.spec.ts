import { describe, expect, it } from '@jest/globals';
import { histogramBoundsMs, quantileMsMax } from './rollup.js';

const timing = (...histogram: number[]) => ({ count: BigInt(histogram.reduce((sum, count) => sum + count, 0)), sumMs: 0n, histogram: histogram.map(BigInt) });

describe('a quantile', () => {
  it('is the upper end of the bucket where it lies', () => {
    expect(quantileMsMax(timing(1, 2, 1), 0.25)).toBe(50);
    expect(quantileMsMax(timing(1, 2, 1), 0.5)).toBe(100);
    expect(quantileMsMax(timing(1, 2, 1), 0.76)).toBe(200);
    expect(quantileMsMax(timing(1), 0)).toBe(50);
  });

  it('is unknown of nothing, and has no end in the last bucket', () => {
    expect(quantileMsMax(timing(), 0.5)).toBeNull();
    expect(quantileMsMax(timing(...histogramBoundsMs.map(() => 0), 1), 0.5)).toBe(Infinity);
  });
});
