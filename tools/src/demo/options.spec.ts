import { describe, expect, test } from '@jest/globals';
import { DemoOptionsError, readDemoOptions } from './options.js';

describe('the options of npm run demo', () => {
  test('without a word it loads 90 days of 40 organizations and more than 100,000 requests', () => {
    expect(readDemoOptions([])).toEqual({ fresh: false, seed: 2026, days: 90, organizations: 40, requests: 108_000 });
  });

  test('each word changes one of them', () => {
    expect(readDemoOptions(['--fresh', '--seed', '7', '--days=3', '--organizations', '5', '--requests', '400'])).toEqual({ fresh: true, seed: 7, days: 3, organizations: 5, requests: 400 });
  });

  test.each([
    [['--days', '0'], '--days: a whole number from 1 to 120 is needed.'],
    [['--organizations', '41'], '--organizations: a whole number from 1 to 40 is needed.'],
    [['--requests', 'many'], '--requests: a whole number from 1 to 2000000 is needed.'],
    [['--seed', '1e3'], '--seed: a whole number from 0 to 4294967295 is needed.'],
    [['--speed', '3'], "Unknown option '--speed'"],
    [['now'], "Unexpected argument 'now'"],
  ])('%j is refused in words', (words, text) => {
    expect(() => readDemoOptions(words)).toThrow(DemoOptionsError);
    expect(() => readDemoOptions(words)).toThrow(text);
  });
});
