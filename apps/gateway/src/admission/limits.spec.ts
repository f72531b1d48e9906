import { describe, expect, it } from '@jest/globals';
import { whole, type Counter, type Limit, type QuotaRefusal } from '@kilotoken/quota';
import { formatReset, refusalFor } from './limits.js';

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

const nowMs = 1_000_000;
const dayMs = 86_400_000;

const limitOf = (more: Partial<Limit> = {}): Limit => ({
  id: 'limit-1',
  subjectKind: 'organization',
  subjectId: 'organization-1',
  measure: 'tokens',
  unit: 'count',
  windowKind: 'day',
  windowMs: 0,
  amount: whole(100),
  mode: 'hard',
  ...more,
});
const counterOf = (limit: Limit, more: Partial<Counter> = {}): Counter => ({ limit, slices: [], remaining: 0n, freeAtMs: null, resetAtMs: null, ...more }) as unknown as Counter;
const refuse = (limit: Limit, known: Partial<Counter>, more: Partial<QuotaRefusal> = {}) => {
  const counter = counterOf(limit, known);
  return refusalFor({ limit, counter, want: whole(20), retryAtMs: null, tooLarge: false, counters: [counter], ...more }, nowMs);
};
const advice = ({ headers }: { headers: Readonly<Record<string, string>> }) => [headers['retry-after'], headers['retry-after-ms'], headers['x-should-retry']];

describe('a refusal by a budget', () => {
  const ends = String((dayMs * 3) / 1_000);

  it.each<[string, Partial<Limit>]>([
    ['tokens a day', { windowKind: 'day' }],
    ['tokens a week', { windowKind: 'week' }],
    ['output tokens a month', { windowKind: 'month', measure: 'output_tokens' }],
    ['money a month', { windowKind: 'month', measure: 'money', unit: 'USD' }],
    ['money in a window that rolls', { windowKind: 'rolling', windowMs: dayMs * 3, measure: 'money', unit: 'USD' }],
  ])('of %s says when the window ends, whichever part of it the database has said', (_what, more) => {
    const limit = limitOf(more);
    const endMs = nowMs + dayMs * 3;
    const slice = { startMs: 0, fromMs: 0, untilMs: endMs, free: 0n, held: 0n, used: whole(90), usedAtMs: 0 };
    for (const refusal of [
      refuse(limit, {}, { retryAtMs: endMs }),
      refuse(limit, { freeAtMs: endMs }),
      refuse(limit, { resetAtMs: endMs }),
      // What others hold was waited for: all that is known is this gateway's own slice.
      refuse(limit, { slices: [slice] }),
    ]) {
      expect(refusal.code).toBe('budget_exceeded');
      expect(advice(refusal)).toEqual([ends, `${ends}000`, 'false']);
      expect(refusal.message).toContain('Please try again in 72h0m0s.');
    }
  });

  it.each<[string, Partial<Limit>]>([
    ['a budget', { windowKind: 'month', measure: 'money', unit: 'USD' }],
    ['tokens a day', {}],
    ['tokens a minute', { windowKind: 'rolling', windowMs: 60_000 }],
  ])('of %s tells a request that is larger than all of it not to come again', (_what, more) => {
    const refusal = refuse(limitOf(more), { freeAtMs: nowMs + 5_000, resetAtMs: nowMs + 5_000 }, { want: whole(200), tooLarge: true });
    expect(advice(refusal)).toEqual([undefined, undefined, 'false']);
    expect(refusal.message).toMatch(/larger than the limit, so a retry does not help\. Lower max_tokens or shorten the prompt\.$/);
  });
});

describe('a refusal by a limit that passes', () => {
  it('says when there is room, and that an SDK may try by itself where that is soon', () => {
    const limit = limitOf({ windowKind: 'rolling', windowMs: 60_000, measure: 'requests' });
    expect(advice(refuse(limit, {}, { retryAtMs: nowMs + 12_345 }))).toEqual(['13', '12345', undefined]);
    expect(advice(refuse(limit, {}, { retryAtMs: nowMs + 61_000 }))).toEqual(['61', '61000', 'false']);
    expect(advice(refuse(limit, {}, { retryAtMs: nowMs - 1 }))).toEqual(['1', '1', undefined]);
  });

  it('says a second where only others hold what is missing', () => {
    expect(advice(refuse(limitOf({ windowKind: 'none', measure: 'concurrency' }), {}))).toEqual(['1', '1000', undefined]);
    expect(advice(refuse(limitOf({ windowKind: 'day', measure: 'requests' }), { freeAtMs: nowMs + dayMs }))).toEqual(['1', '1000', undefined]);
    const busy = refusalFor({ limit: null, counter: null, want: 0n, retryAtMs: null, tooLarge: false, counters: [] }, nowMs);
    expect([busy.code, ...advice(busy)]).toEqual(['rate_limit_exceeded', '1', '1000', undefined]);
  });
});
