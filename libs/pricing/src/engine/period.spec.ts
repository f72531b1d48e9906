import { describe, expect, it, test } from '@jest/globals';
import fc from 'fast-check';
import { periodAt } from './period.js';

const shown = (...given: Parameters<typeof periodAt>): string => {
  const { startMs, endMs } = periodAt(...given);
  return `${new Date(startMs).toISOString()} ${new Date(endMs).toISOString()}`;
};

describe('a period', () => {
  test.each([
    ['a month of the local calendar', 'month', '2026-02-28T16:00:00Z', 'Asia/Shanghai', '2026-02-28T16:00:00.000Z 2026-03-31T16:00:00.000Z'],
    ['its last millisecond', 'month', '2026-02-28T15:59:59.999Z', 'Asia/Shanghai', '2026-01-31T16:00:00.000Z 2026-02-28T16:00:00.000Z'],
    ['a month with a clock change', 'month', '2026-03-10T00:00:00Z', 'Europe/Berlin', '2026-02-28T23:00:00.000Z 2026-03-31T22:00:00.000Z'],
    ['a quarter', 'quarter', '2026-05-05T00:00:00Z', 'UTC', '2026-04-01T00:00:00.000Z 2026-07-01T00:00:00.000Z'],
    ['a contract year', 'contract_year', '2026-03-09T23:59:59Z', 'UTC', '2025-03-10T00:00:00.000Z 2026-03-10T00:00:00.000Z'],
    ['a contract year that begins today', 'contract_year', '2026-03-10T00:00:00Z', 'UTC', '2026-03-10T00:00:00.000Z 2027-03-10T00:00:00.000Z'],
  ] as const)('is %s', (_, period, at, zone, expected) => expect(shown(period, Date.parse(at), zone, '2024-03-10')).toBe(expected));

  it('that starts on 29 February renews on the last day of February', () => {
    expect(shown('contract_year', Date.parse('2025-03-01T00:00:00Z'), 'UTC', '2024-02-29')).toBe('2025-02-28T00:00:00.000Z 2026-02-28T00:00:00.000Z');
    expect(shown('contract_year', Date.parse('2028-02-29T00:00:00Z'), 'UTC', '2024-02-29')).toBe('2028-02-29T00:00:00.000Z 2029-02-28T00:00:00.000Z');
  });

  it('begins after a midnight that a clock change skips', () => {
    // Cairo skips 00:00 to 01:00 on 24 April 2026; the contract renews on that day.
    expect(shown('contract_year', Date.parse('2026-05-01T00:00:00Z'), 'Africa/Cairo', '2024-04-24')).toContain('2026-04-23T22:00:00.000Z');
  });

  it('begins with the first of two midnights', () => {
    // Havana has 00:00 to 01:00 twice on 1 November 2026.
    expect(shown('month', Date.parse('2026-11-15T00:00:00Z'), 'America/Havana', null)).toContain('2026-11-01T04:00:00.000Z');
  });

  it('ends where the next one begins, so each instant is in one', () => {
    const zones = ['UTC', 'Asia/Shanghai', 'Europe/Berlin', 'America/St_Johns', 'America/Havana', 'Africa/Cairo', 'Pacific/Apia', 'Australia/Lord_Howe', 'America/Sao_Paulo'];
    const anyAt = fc.integer({ min: Date.parse('1990-01-01T00:00:00Z'), max: Date.parse('2040-01-01T00:00:00Z') });
    fc.assert(
      fc.property(fc.constantFrom('month', 'quarter', 'contract_year' as const), anyAt, fc.constantFrom(...zones), (period, at, zone) => {
        const { startMs, endMs } = periodAt(period, at, zone, '2004-02-29');
        expect(startMs <= at && at < endMs).toBe(true);
        expect(periodAt(period, endMs, zone, '2004-02-29').startMs).toBe(endMs);
        expect(periodAt(period, startMs - 1, zone, '2004-02-29').endMs).toBe(startMs);
      }),
      { seed: 11, numRuns: 1_000 },
    );
  });
});
