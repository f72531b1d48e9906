import { describe, expect, it } from '@jest/globals';
import { planSoak, soakFaults, soakGapMsMax } from './soak-plan.js';

const tenMinutesMs = 600_000;

describe('the plan of a soak', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(planSoak(7, tenMinutesMs, 2)).toEqual(planSoak(7, tenMinutesMs, 2));
    expect(planSoak(8, tenMinutesMs, 2)).not.toEqual(planSoak(7, tenMinutesMs, 2));
  });

  it.each([1, 2, 3, 4, 5])('has a fault at least every five seconds, and all of them often (seed %s)', (seed) => {
    const steps = planSoak(seed, tenMinutesMs, 2);
    const gaps = steps.slice(1).map(({ atMs }, index) => atMs - steps[index]!.atMs);
    expect(Math.max(...gaps, steps[0]!.atMs)).toBeLessThanOrEqual(soakGapMsMax);
    for (const fault of soakFaults) expect(steps.filter((step) => step.fault === fault).length).toBeGreaterThan(5);
  });

  it('has every fault once within its first round', () => {
    const steps = planSoak(9, tenMinutesMs, 2).slice(0, soakFaults.length);
    expect(new Set(steps.map(({ fault }) => fault)).size).toBe(soakFaults.length);
  });
});
