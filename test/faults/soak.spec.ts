import { describe, expect, it, jest } from '@jest/globals';
import { soak } from '../support/soak.js';
import { soakFaults, soakGapMsMax } from '../support/soak-plan.js';
import { soakMs, soakSeed } from '../support/test-settings.js';

const settlingMsMax = 240_000;
jest.setTimeout(soakMs + settlingMsMax);

describe('the whole system under one fault after the other', () => {
  it(`keeps every invariant, and the three logs agree (seed ${soakSeed}, ${soakMs / 1_000} s)`, async () => {
    // npm run soak shows what happens; a short one among other tests keeps quiet unless something breaks.
    const report = await soak({ seed: soakSeed, durationMs: soakMs, say: (line) => process.stderr.write(`${line}\n`) });
    expect(report.problems).toEqual([]);
    expect(report.gapMsMax).toBeLessThanOrEqual(soakGapMsMax);
    expect(report.faults).toBeGreaterThanOrEqual(Math.min(soakFaults.length, Math.floor(soakMs / soakGapMsMax)));
    expect(report.agreed).toBeGreaterThan(report.requests / 4);
  });
});
