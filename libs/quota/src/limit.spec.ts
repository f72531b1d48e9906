import { expect, it } from '@jest/globals';
import { describeLimit, isBudget, whole, wholePart, type Limit } from './limit.js';

const limit: Limit = { id: 'l', subjectKind: 'organization', subjectId: 'o', measure: 'requests', unit: 'count', windowKind: 'rolling', windowMs: 60_000, amount: whole(1), mode: 'hard' };

it.each<[Partial<Limit>, string, boolean]>([
  [{}, 'requests per minute of the organization', false],
  [{ measure: 'input_tokens', windowMs: 5_000, subjectKind: 'end_user' }, 'input tokens per 5 seconds of the end user', false],
  [{ measure: 'tokens', windowKind: 'day', windowMs: 0, subjectKind: 'key' }, 'tokens per day of the API key', true],
  [{ measure: 'money', unit: 'USD', windowMs: 86_400_000, subjectKind: 'project' }, 'USD per day of the project', true],
  [{ measure: 'concurrency', windowKind: 'none', windowMs: 0 }, 'concurrent requests of the organization', false],
  [{ measure: 'requests', windowKind: 'month', windowMs: 0 }, 'requests per month of the organization', false],
])('%j is %s', (more, text, budget) => {
  expect([describeLimit({ ...limit, ...more }), isBudget({ ...limit, ...more })]).toEqual([text, budget]);
});

it('whole things are exact amounts, however many', () => {
  expect(wholePart(whole(Number.MAX_SAFE_INTEGER))).toBe(9_007_199_254_740_991n);
});
