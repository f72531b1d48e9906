import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { asOrganization } from '@kilotoken/platform';
import { RollupDatabase } from '../../../test/support/rollup-database.js';
import { readUsageRollup } from './rollup-reading.flow.js';
import type { RollupQuery } from './rollup.js';

/** One request each quarter of an hour for four days around every change of a clock that is looked at. */
const aroundChanges = ['2026-03-07', '2026-03-27', '2026-04-03', '2026-10-02', '2026-10-23', '2026-10-30'];
const quarterMs = 900_000;
const quarters = aroundChanges.flatMap((first) => Array.from({ length: 5 * 96 }, (_, index) => new Date(Date.parse(`${first}T00:00:00Z`) + index * quarterMs)));

let rollups: RollupDatabase;
beforeAll(async () => {
  rollups = await RollupDatabase.create();
  for (let at = 0; at < quarters.length; at += 480) await rollups.put(quarters.slice(at, at + 480).map((quarter) => ({ settledAt: new Date(quarter.getTime() + (at % 7) * 100_000) })));
  await rollups.rate();
  await rollups.rollUp();
}, 60_000);
afterAll(() => rollups.money.drop());

const read = (query: Omit<RollupQuery, 'organizationId'>) => readUsageRollup(rollups.money.app, { organizationId: rollups.organizationId, ...query });

describe('a day of a zone', () => {
  it.each([
    ['Europe/Berlin', '2026-03-28', '2026-03-31', [24, 23, 24]],
    ['Europe/Berlin', '2026-10-24', '2026-10-27', [24, 25, 24]],
    ['America/New_York', '2026-03-08', '2026-03-10', [23, 24]],
    ['America/New_York', '2026-10-31', '2026-11-03', [24, 25, 24]],
    ['Asia/Kolkata', '2026-03-28', '2026-03-31', [24, 24, 24]],
    ['Australia/Lord_Howe', '2026-04-05', '2026-04-07', [24.5, 24]],
    ['Australia/Lord_Howe', '2026-10-03', '2026-10-06', [24, 23.5, 24]],
    ['America/Havana', '2026-03-08', '2026-03-10', [23, 24]],
    ['America/Havana', '2026-10-31', '2026-11-03', [24, 25, 24]],
    ['UTC', '2026-10-24', '2026-10-27', [24, 24, 24]],
  ])('of %s from %s to %s has its own hours, and counts each quarter of them once', async (timeZone, from, to, hours) => {
    const days = await read({ from, to, granularity: 'day', timeZone });
    expect(days.map(({ startsAt, endsAt }) => (endsAt.getTime() - startsAt.getTime()) / 3_600_000)).toEqual(hours);
    expect(days.map(({ requests }) => Number(requests) / 4)).toEqual(hours);
    days.slice(1).forEach(({ startsAt }, index) => expect(startsAt).toEqual(days[index]!.endsAt));
    // Asked for by hours, or a day at a time, it is the same: nothing falls between, nothing is counted twice.
    const byHour = await read({ from, to, granularity: 'hour', timeZone });
    expect(byHour.reduce((sum, { requests }) => sum + Number(requests), 0) / 4).toBe(hours.reduce((sum, length) => sum + length, 0));
    byHour.slice(1).forEach(({ startsAt }, index) => expect(startsAt).toEqual(byHour[index]!.endsAt));
    const singly = await Promise.all(days.slice(1).map((one, index) => read({ from: days[index]!.startsAt.toISOString(), to: one.startsAt.toISOString(), granularity: 'day', timeZone })));
    expect(singly.flat().map(({ startsAt }) => startsAt)).toEqual(days.slice(0, -1).map(({ startsAt }) => startsAt));
  });

  it('agrees with what usage says of local dates', async () => {
    for (const timeZone of ['Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'Pacific/Chatham']) {
      const days = await read({ from: '2026-10-24', to: '2026-10-27', granularity: 'day', timeZone });
      const expected = await rollups.money.sql<{ requests: bigint }>(
        "SELECT count(*) AS requests FROM usage WHERE (settled_at AT TIME ZONE $1)::date BETWEEN '2026-10-24' AND '2026-10-26' GROUP BY (settled_at AT TIME ZONE $1)::date ORDER BY (settled_at AT TIME ZONE $1)::date",
        [timeZone],
      );
      expect([timeZone, days.map(({ requests }) => requests)]).toEqual([timeZone, expected.map(({ requests }) => requests)]);
    }
  });

  it('has the hour that a clock shows twice two times', async () => {
    const hours = await read({ from: '2026-10-25T00:00:00Z', to: '2026-10-25T02:00:00Z', granularity: 'hour', timeZone: 'Europe/Berlin' });
    expect(hours.map(({ startsAt, requests }) => [startsAt.toISOString(), requests])).toEqual([
      ['2026-10-25T00:00:00.000Z', 4n],
      ['2026-10-25T01:00:00.000Z', 4n],
    ]);
  });
});

describe('what is read', () => {
  it('is divided by who, what and where, with exact sums in each unit', async () => {
    await rollups.money.newTenant();
    const [lane, key] = [randomUUID(), randomUUID()];
    const settledAt = new Date('2026-05-05T10:07:00Z');
    const later = (ms: number): Date => new Date(settledAt.getTime() + ms);
    await rollups.put([
      { settledAt, laneId: lane, charge: '0.000000000001', cost: '99999999999999.000000000001', counts: { input: 7, output: 9007199254740991 }, tags: { team: 'red' }, admittedAt: settledAt, firstTokenAt: later(120), finishedAt: later(900) },
      { settledAt, laneId: lane, charge: '0.000000000002', unit: 'qwen-pack', costCurrency: 'EUR', cost: '1', counts: { output: 9007199254740991 }, tags: { team: 'blue' } },
      { settledAt: later(60_000), apiKeyId: key, charge: '0', outcome: 'upstream_failed', status: 502, counts: {} },
      { settledAt: later(60_000), apiKeyId: key, charge: '0', outcome: 'upstream_failed', status: 0, counts: {} },
    ]);
    await rollups.rate();
    await rollups.rollUp();
    const range = { from: '2026-05-05', to: '2026-05-06' };

    const [whole, ...none] = await read({ ...range, granularity: 'day' });
    expect(none).toEqual([]);
    expect(whole).toMatchObject({
      group: {}, requests: 3n, errors: 1n, failedAttempts: 1n, tokens: { input: 7n, output: 18014398509481982n },
      charge: { USD: 1n, 'qwen-pack': 2n }, cost: { USD: 99999999999999000000000001n, EUR: 10n ** 12n },
      timeToFirstToken: { count: 1n, sumMs: 120n }, duration: { count: 2n, sumMs: 900n },
    });
    expect((await read({ ...range, granularity: 'day', groupBy: ['lane'] })).map(({ group, requests }) => [group, requests])).toEqual([
      [{ lane: null }, 1n],
      [{ lane }, 2n],
    ]);
    expect((await read({ ...range, granularity: 'minute', groupBy: ['tag:team', 'model'] })).map(({ group, requests }) => [group, requests])).toEqual([
      [{ 'tag:team': 'blue', model: 'mock' }, 1n],
      [{ 'tag:team': 'red', model: 'mock' }, 1n],
    ]);
    expect((await read({ ...range, granularity: 'hour', groupBy: ['apiKey', 'project'] })).map(({ requests }) => requests).sort()).toEqual([1n, 2n]);
  });

  it("is one organization's alone, by query and by row-level security", async () => {
    const other = await rollups.money.newTenant();
    expect(await read({ from: '2026-03-07', to: '2026-11-07', granularity: 'day' })).toEqual([]);
    expect(await asOrganization(rollups.money.app, other.organizationId, async (db) => (await db.query('SELECT FROM usage_rollup')).rowCount)).toBe(0);
  });

  it.each<[string, Partial<RollupQuery>, string]>([
    ['an organization that is none', { organizationId: 'acme' }, 'rollup_query_invalid'],
    ['a zone that nobody knows', { timeZone: 'Europe/Atlantis' }, 'rollup_query_invalid'],
    ['an offset in place of a zone', { timeZone: '+05:30' }, 'rollup_query_invalid'],
    ['a zone that is SQL', { timeZone: "UTC'; DROP TABLE usage_rollup; --" }, 'rollup_query_invalid'],
    ['a day that is none', { from: '2026-02-30' }, 'rollup_query_invalid'],
    ['a moment without a zone', { from: '2026-03-01T00:00:00' }, 'rollup_query_invalid'],
    ['a dimension that is none', { groupBy: ['unit' as 'model'] }, 'rollup_query_invalid'],
    ['one dimension twice', { groupBy: ['model', 'model'] }, 'rollup_query_invalid'],
    ['two tags', { groupBy: ['tag:a', 'tag:b'] }, 'rollup_query_invalid'],
    ['an end before its beginning', { from: '2026-04-02' }, 'rollup_range_empty'],
    ['years by the minute', { from: '2020-01-01', granularity: 'minute' }, 'rollup_range_too_long'],
    ['a beginning within a quarter', { from: '2026-03-01T00:01:00Z', granularity: 'hour' }, 'rollup_range_unaligned'],
    ['a day of UTC that begins at noon', { from: '2026-03-01T12:00:00Z' }, 'rollup_range_unaligned'],
  ])('is not %s', async (_name, change, code) => {
    const query: RollupQuery = { organizationId: rollups.organizationId, from: '2026-03-01', to: '2026-04-01', granularity: 'day', ...change };
    await expect(readUsageRollup(rollups.money.app, query)).rejects.toMatchObject({ code, kind: 'invalid' });
  });
});
