import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { attemptsMaxOf, mailWaitsSeconds, retryWaitMs, webhookWaitsSeconds } from './retry.js';

const dayMs = 86_400_000;

describe('retryWaitMs', () => {
  it('the wait is that of the schedule, spread by a fifth to both sides', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: webhookWaitsSeconds.length }), fc.double({ min: 0, max: 0.999999, noNaN: true }), (attempts, spread) => {
        const waitMs = retryWaitMs(webhookWaitsSeconds, attempts, spread)!;
        const meanMs = webhookWaitsSeconds[attempts - 1]! * 1_000;
        expect(waitMs).toBeGreaterThanOrEqual(meanMs * 0.8 - 1);
        expect(waitMs).toBeLessThanOrEqual(meanMs * 1.2 + 1);
      }),
    );
    expect(retryWaitMs(webhookWaitsSeconds, 1, 0.75)).toBe(5_500);
  });

  it('after the last wait of the schedule there is no further attempt', () => {
    for (const waits of [webhookWaitsSeconds, mailWaitsSeconds]) {
      expect(retryWaitMs(waits, attemptsMaxOf(waits) - 1, 0.5)).toBeGreaterThan(0);
      expect(retryWaitMs(waits, attemptsMaxOf(waits), 0.5)).toBeNull();
    }
  });

  it.each([
    ['sooner than the schedule', 1_000, 5_000],
    ['later than the schedule', 60_000, 60_000],
    ['in a year', 365 * dayMs, dayMs],
  ])('the wait is what the receiver asked for, within a day: %s', (_name, askedMs, waitMs) => {
    expect(retryWaitMs(webhookWaitsSeconds, 1, 0.5, askedMs)).toBe(waitMs);
  });

  it('the wait grows with each failure', () => {
    for (const waits of [webhookWaitsSeconds, mailWaitsSeconds]) expect([...waits].sort((a, b) => a - b)).toEqual([...waits]);
  });
});
