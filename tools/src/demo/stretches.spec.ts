import { expect, test } from '@jest/globals';
import { stretchesOf } from './stretches.js';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const endMs = Date.UTC(2026, 9, 30, 15, 30);

test('stretches follow one another without a gap, finer towards the end of the history', () => {
  for (const daysBefore of [90, 7, 1]) {
    const fromMs = endMs - daysBefore * dayMs;
    const stretches = stretchesOf(fromMs, fromMs + dayMs, endMs);
    expect(stretches[0]!.fromMs).toBe(fromMs);
    expect(stretches.at(-1)!.untilMs).toBe(fromMs + dayMs);
    for (const [index, stretch] of stretches.entries()) {
      expect(stretch.untilMs).toBeGreaterThan(stretch.fromMs);
      if (index > 0) expect(stretch.fromMs).toBe(stretches[index - 1]!.untilMs);
    }
  }
  expect(stretchesOf(endMs - 90 * dayMs, endMs - 89 * dayMs, endMs)).toHaveLength(24);
  expect(stretchesOf(endMs - 7 * dayMs, endMs - 6 * dayMs, endMs)).toHaveLength(96);
  expect(stretchesOf(endMs - dayMs, endMs, endMs)).toHaveLength(20 * 4 + 4 * 60);
});
