import { expect, it } from '@jest/globals';
import { formatReset } from './limits.js';

it.each([
  [0, '0s'],
  [-5, '0s'],
  [12, '12ms'],
  [999.2, '1s'],
  [1_000, '1s'],
  [8_640, '8.64s'],
  [60_000, '1m0s'],
  [360_000, '6m0s'],
  [72_172, '1m12.172s'],
  [3_600_000, '1h0m0s'],
  [90_061_000, '25h1m1s'],
])('%d ms are told as OpenAI tells them: %s', (ms, text) => {
  expect(formatReset(ms)).toBe(text);
});
