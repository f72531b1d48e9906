import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { tokenClasses } from '@kilotoken/contracts';
import { changeThrough, systemClock } from '@kilotoken/platform';
import fc from 'fast-check';
import { pino } from 'pino';
import { sqlStateFrom } from '../../../test/support/money-database.js';
import { RollupDatabase, type PutUsage } from '../../../test/support/rollup-database.js';
import { until } from '../../../test/support/until.js';
import { readUsageRollup } from './rollup-reading.flow.js';
import { findRolledDays, rebuildRollups, verifyRollups } from './rollup-keeping.flow.js';
import { readRollupLag } from './rollup.store.js';
import { RollupService } from './rollup.service.js';

const day = { from: new Date('2026-03-29T00:00:00Z'), until: new Date('2026-03-30T00:00:00Z') };
const week = { from: new Date('2026-03-26T00:00:00Z'), until: new Date('2026-04-02T00:00:00Z') };
const noon = new Date('2026-03-29T12:00:00Z');

let rollups: RollupDatabase;
beforeAll(async () => {
  rollups = await RollupDatabase.create();
});
beforeEach(() => rollups.clear());
afterAll(() => rollups.money.drop());

const prove = async (range = week) => verifyRollups(rollups.money.control, range);
/** Requests of the whole, by grain: each must be all of them. */
const requests = async (): Promise<Record<string, string>> =>
  Object.fromEntries(
    (await rollups.money.sql<{ grain: number; requests: string }>("SELECT grain_minutes AS grain, sum(requests)::text AS requests FROM usage_rollup WHERE tag_key = '' GROUP BY 1")).map(
      ({ grain, requests: sum }) => [grain, sum],
    ),
  );

const amount = fc.bigInt({ min: 0n, max: 10n ** 24n }).map((pico) => `${pico / 10n ** 12n}.${String(pico % 10n ** 12n).padStart(12, '0')}`);
const moment = fc.integer({ min: week.from.getTime(), max: week.until.getTime() - 1 }).map((ms) => new Date(ms));
/** Vendors say anything: what is no count must count nothing, and stop nobody. */
const count = fc.oneof(fc.nat(), fc.constantFrom(9007199254740991, 9007199254740992, 1e300, -1, 2.5, 'many', null, [1], true));
const counts = fc.oneof(fc.dictionary(fc.constantFrom(...tokenClasses, 'unheard_of'), count), fc.constantFrom([], 'none', 7));
const tags = fc.oneof(fc.constant(null), fc.dictionary(fc.constantFrom(...'abcdefghijZÄ'), fc.string({ maxLength: 140 }).map((text) => text.replaceAll('\0', ''))), fc.constantFrom([1], 'tag'));
const usage: fc.Arbitrary<PutUsage> = fc.record({
  settledAt: moment,
  admittedAt: fc.oneof(moment, fc.constantFrom(new Date(-1), new Date('3000-01-01T00:00:00Z'))),
  firstTokenAt: fc.option(moment),
  finishedAt: moment,
  model: fc.constantFrom('mock', 'second'),
  laneId: fc.constantFrom(null, '01890000-0000-7000-8000-000000000001', '01890000-0000-7000-8000-000000000002'),
  unit: fc.constantFrom('USD', 'qwen-pack'),
  costCurrency: fc.constantFrom('USD', 'EUR'),
  charge: amount,
  cost: amount,
  counts,
  tags,
  outcome: fc.constantFrom('completed', 'client_closed', 'interrupted', 'upstream_failed'),
  status: fc.constantFrom(0, 200, 499, 502),
});
/** What happens in which order: usage settles, is rated, is rolled up, days are rebuilt. */
const step = fc.oneof(
  { weight: 4, arbitrary: fc.array(usage, { minLength: 1, maxLength: 12 }) },
  { weight: 2, arbitrary: fc.constantFrom('rate' as const, 'rollUp' as const) },
  { weight: 1, arbitrary: fc.constant('rebuild' as const) },
);

describe('rollups', () => {
  it('are what usage says to the last digit, whatever it holds and in whatever order it is rated, rolled up and rebuilt', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        await rollups.clear();
        for (const one of steps) {
          if (one === 'rate') await rollups.rate();
          else if (one === 'rollUp') await rollups.rollUp();
          else if (one === 'rebuild') await rebuildRollups(rollups.money.control, week);
          else await rollups.put(one);
        }
        expect((await prove()).differences).toEqual([]);
        await rollups.rate();
        await rollups.rollUp();
        const { differences, usageRows, waitingRows } = await prove();
        expect({ differences, usageRows, waitingRows }).toEqual({ differences: [], usageRows: steps.flatMap((one) => (typeof one === 'string' ? [] : one)).length, waitingRows: 0 });
      }),
      { numRuns: 25 },
    );
  }, 60_000);

  it('have a column for every class of tokens', async () => {
    await rollups.put([{ settledAt: noon, counts: Object.fromEntries(tokenClasses.map((name, index) => [name, index + 1])) }]);
    await rollups.rate();
    await rollups.rollUp();
    const [row] = await rollups.money.sql<Record<string, string>>("SELECT * FROM usage_rollup WHERE grain_minutes = 1440 AND tag_key = ''");
    expect(tokenClasses.map((name) => row![`${name}_tokens`])).toEqual(tokenClasses.map((_, index) => String(index + 1)));
  });

  it('count usage of one instant row by row, and usage of clocks that are centuries off when it settled', async () => {
    const ids = await rollups.put([{ settledAt: noon }, { settledAt: noon }, { settledAt: noon, admittedAt: new Date(-1) }]);
    await rollups.put([{ settledAt: noon, id: ids[0]!.replace(/^.{13}/, '1d949800-0000'), admittedAt: new Date('3000-01-01T00:00:00Z') }]);
    expect(await rollups.money.sql('SELECT tableoid::regclass::text AS "in" FROM usage_default')).toEqual([{ in: 'usage_default' }]);
    await rollups.rate();
    await rollups.rollUp();
    expect(await requests()).toEqual({ 1: '4', 15: '4', 1440: '4' });
    expect((await prove(day)).differences).toEqual([]);
  });

  it('count what is rated late in the time when it settled', async () => {
    await rollups.put([{ settledAt: noon }]);
    await rollups.rate();
    await rollups.rollUp();
    await rollups.put([{ settledAt: new Date(noon.getTime() - 3 * 86_400_000), charge: '5' }]);
    await rollups.rate();
    await rollups.rollUp();
    expect(await rollups.money.sql("SELECT starts_at AS at, trim_scale(charge)::text AS charge FROM usage_rollup WHERE grain_minutes = 1 AND tag_key = '' ORDER BY 1")).toEqual([
      { at: new Date('2026-03-26T12:00:00Z'), charge: '5' },
      { at: noon, charge: '1' },
    ]);
  });

  it('count the first eight tags of a request by the bytes of their keys, and of a value its first 128 characters', async () => {
    await rollups.put([{ settledAt: noon, tags: Object.fromEntries([...'jihgfedcbaZ'].map((key) => [key, 'ü'.repeat(512)])) }]);
    await rollups.rate();
    await rollups.rollUp();
    const rows = await rollups.money.sql<{ key: string; value: string }>("SELECT tag_key AS key, tag_value AS value FROM usage_rollup WHERE grain_minutes = 15 AND tag_key <> '' ORDER BY tag_key COLLATE \"C\"");
    expect(rows.map(({ key }) => key).join('')).toBe('Zabcdefg');
    expect(new Set(rows.map(({ value }) => value))).toEqual(new Set(['ü'.repeat(128)]));
  });
});

describe('tags of ever new values', () => {
  const rowsOf = async (tagKey: string): Promise<{ values: number; requests: number }> => {
    const [row] = await rollups.money.sql<{ values: bigint; requests: string | null }>(
      'SELECT count(DISTINCT tag_value) AS values, sum(requests)::text AS requests FROM usage_rollup WHERE grain_minutes = 1440 AND tag_key = $1', [tagKey],
    );
    return { values: Number(row!.values), requests: Number(row!.requests ?? 0) };
  };
  const settle = async (rows: PutUsage[]): Promise<void> => {
    await rollups.put(rows);
    await rollups.rate();
    await rollups.rollUp();
  };

  it('have sums of their own up to a bound of the organization and day, and the others a rest: sums of a key are all that carries it', async () => {
    await settle([{ settledAt: noon, tags: { team: 'red' } }]);
    const requests = 600;
    for (let half = 0; half < 2; half += 1) {
      await settle(Array.from({ length: requests / 2 }, (_, index) => ({ settledAt: noon, tags: { team: 'red', ...Object.fromEntries(Array.from({ length: 7 }, (__, tag) => [`tag-${tag}`, `${half}-${index}-${tag}`])) } })));
    }
    const [named] = await rollups.money.sql<{ tags: bigint; most: bigint }>("SELECT (SELECT count(*) FROM rollup_tag) AS tags, (SELECT max(n) FROM (SELECT count(*) AS n FROM rollup_tag GROUP BY tag_key) k) AS most");
    expect([Number(named!.tags), Number(named!.most)]).toEqual([1_000, 300]);
    expect(await rowsOf('team')).toEqual({ values: 1, requests: requests + 1 });
    let values = 0;
    for (let tag = 0; tag < 7; tag += 1) {
      const sums = await rowsOf(`tag-${tag}`);
      if (sums.requests > 0) expect(sums.requests).toBe(requests);
      values += sums.values;
    }
    // What has no sums at all under its own key counts once a request under the rest of all.
    expect(await rowsOf('(other)')).toEqual({ values: 1, requests });
    expect(values).toBeLessThanOrEqual(1_000 + 7);
    const [all] = await rollups.money.sql<{ rows: bigint }>('SELECT count(*) AS rows FROM usage_rollup');
    expect(Number(all!.rows)).toBeLessThan(3 * 1_020);
    expect((await prove(day)).differences).toEqual([]);
    await rebuildRollups(rollups.money.control, day);
    expect((await prove(day)).differences).toEqual([]);
  });

  it('take nothing from another organization or another day, and a key that is no key of ours is among the rest', async () => {
    const other = await rollups.money.newTenant('1');
    await settle(Array.from({ length: 700 }, (_, index) => ({ settledAt: noon, tags: { request: String(index) } })));
    expect(await rowsOf('request')).toEqual({ values: 501, requests: 700 });
    await rollups.money.newTenant('1');
    await settle([
      { settledAt: noon, tags: { request: 'mine', ['k'.repeat(65)]: 'long', '(other)': 'x', team: '(other)' } },
      { settledAt: new Date('2026-03-30T12:00:00Z'), organizationId: other.organizationId, tags: { request: 'tomorrow' } },
    ]);
    const own = await rollups.money.sql<{ of: string; key: string; value: string }>(
      `SELECT CASE organization_id WHEN $1 THEN 'other' ELSE 'mine' END AS of, tag_key AS key, tag_value AS value FROM usage_rollup
       WHERE grain_minutes = 1440 AND tag_key <> '' AND (organization_id = $2 OR starts_at = '2026-03-30Z') ORDER BY 1, 2, 3`, [other.organizationId, rollups.organizationId],
    );
    expect(own).toEqual([{ of: 'mine', key: '(other)', value: '(other)' }, { of: 'mine', key: 'request', value: 'mine' }, { of: 'other', key: 'request', value: 'tomorrow' }]);
    expect((await prove()).differences).toEqual([]);
  });
});

describe('a follower', () => {
  const follower = (onAdded: (rows: number) => void = () => undefined) => new RollupService({ pauseMs: 5, batchesPerAddMax: 2, minutesKeptDays: 3_650 }, rollups.money.app, systemClock, pino({ level: 'silent' }), onAdded);

  it('adds what is rated while it runs, and stops when it is told to', async () => {
    let added = 0;
    const running = follower((rows) => (added += rows));
    running.start();
    for (let flush = 0; flush < 7; flush += 1) await rollups.put([{ settledAt: noon }, { settledAt: noon }]);
    expect(await requests()).toEqual({});
    await rollups.rate();
    await until('all is rolled up', () => added === 14);
    await running.stop();
    expect(await requests()).toEqual({ 1: '14', 15: '14', 1440: '14' });
    expect(await readRollupLag(rollups.money.app)).toEqual({ batches: 0, oldestSeconds: 0 });
  });

  it('that is killed before it commits leaves everything to the next; another beside it does nothing', async () => {
    await rollups.put([{ settledAt: noon }]);
    await rollups.rate();
    const dying = await rollups.money.app.connect();
    await dying.query('BEGIN');
    expect((await dying.query('SELECT * FROM rollup_add(10)')).rows).toEqual([{ batches: 1n, rows: 1n }]);
    const { rows: backend } = await dying.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    expect((await rollups.money.app.query('SELECT * FROM rollup_add(10)')).rows).toEqual([{ batches: 0n, rows: 0n }]);
    expect(await requests()).toEqual({});
    await rollups.money.sql('SELECT pg_terminate_backend($1)', [backend[0]!.pid]);
    dying.release(true);
    await until('its flush is added', async () => (await follower().addOnce(), (await requests())[1] !== undefined));
    expect(await requests()).toEqual({ 1: '1', 15: '1', 1440: '1' });
  });

  it('and a rebuild at the same time count every row once, while usage settles and is rated', async () => {
    const running = follower();
    running.start();
    const busy = (async () => {
      for (let flush = 0; flush < 40; flush += 1) {
        await rollups.put([{ settledAt: new Date(noon.getTime() + flush * 60_000), tags: { team: String(flush % 3) } }, { settledAt: noon, charge: '0.000000000001' }]);
        if (flush % 3 === 0) await rollups.rate();
      }
      return true;
    })();
    let settling = true;
    const ended = busy.finally(() => (settling = false));
    let rebuilds = 0;
    for (; settling || rebuilds < 3; rebuilds += 1) await rebuildRollups(rollups.money.control, day);
    await ended;
    await rollups.rate();
    await until('nothing waits', async () => (await readRollupLag(rollups.money.app)).batches === 0);
    await running.stop();
    expect(await requests()).toEqual({ 1: '80', 15: '80', 1440: '80' });
    expect((await prove(day)).differences).toEqual([]);
  });
});

describe('minutes', () => {
  it('that are older than they are kept go, and quarters and days of the same usage stay; late rows and rebuilds bring back none that count', async () => {
    const ago = (days: number): Date => new Date(Date.now() - days * 86_400_000);
    const old = [ago(40), ago(40), ago(30)];
    await rollups.put(old.map((settledAt) => ({ settledAt })));
    await rollups.put([{ settledAt: ago(1) }]);
    await rollups.rate();
    await rollups.rollUp();
    const follower = new RollupService({ pauseMs: 5, batchesPerAddMax: 2, minutesKeptDays: 10 }, rollups.money.app, systemClock, pino({ level: 'silent' }), () => undefined);
    expect(await follower.pruneOnce()).toBe(false);
    expect(await requests()).toEqual({ 1: '1', 15: '4', 1440: '4' });
    await rollups.put([{ settledAt: ago(35) }]);
    await rollups.rate();
    await rollups.rollUp();
    const days = (await findRolledDays(rollups.money.control))!;
    expect(await prove(days)).toMatchObject({ differences: [], usageRows: 5 });
    await rebuildRollups(rollups.money.control, days);
    expect(await prove(days)).toMatchObject({ differences: [], usageRows: 5 });
    const minute = (days: number): string => `${ago(days).toISOString().slice(0, 16)}:00Z`;
    const minutes = { organizationId: rollups.organizationId, from: minute(20), to: minute(19), granularity: 'minute' as const };
    await expect(readUsageRollup(rollups.money.app, minutes)).rejects.toMatchObject({ code: 'rollup_minutes_gone' });
  });
});

describe('a rebuild', () => {
  it.each([
    ['changed', "UPDATE usage_rollup SET charge = charge + 0.000000000001 WHERE grain_minutes = 15 AND tag_key = ''"],
    ['lost', "DELETE FROM usage_rollup WHERE grain_minutes = 15 AND tag_key = ''"],
    ['invented', "UPDATE usage_rollup SET model = 'other' WHERE grain_minutes = 15 AND tag_key = ''"],
  ])('repairs what was %s, which the proof names', async (_name, damage) => {
    await rollups.put([{ settledAt: noon, charge: '1.5', tags: { team: 'red' } }]);
    await rollups.rate();
    await rollups.rollUp();
    await rollups.money.sql(damage);
    const { differences } = await prove(day);
    expect(differences[0]).toMatchObject({ organizationId: rollups.organizationId, grainMinutes: 15, startsAt: noon, tagKey: '' });
    expect(await rebuildRollups(rollups.money.control, day)).toBe(1);
    expect((await prove(day)).differences).toEqual([]);
  });

  it('touches no other day, and finds the days that there are', async () => {
    expect(await findRolledDays(rollups.money.control)).toBeNull();
    await rollups.put([{ settledAt: noon }, { settledAt: new Date('2026-03-30T00:00:00Z') }, { settledAt: new Date('2026-03-28T23:59:59.999Z') }]);
    await rollups.rate();
    await rollups.rollUp();
    await rollups.money.sql('UPDATE usage_rollup SET requests = 9');
    expect(await rebuildRollups(rollups.money.control, day)).toBe(1);
    expect(await requests()).toEqual({ 1: '19', 15: '19', 1440: '19' });
    expect(await findRolledDays(rollups.money.control)).toEqual({ from: new Date('2026-03-28T00:00:00Z'), until: new Date('2026-03-31T00:00:00Z') });
  });

  it('is recorded with its actor, and refused without one or to a session that sees one organization', async () => {
    await rebuildRollups(rollups.money.control, day);
    expect(await rollups.money.sql('SELECT organization_id, actor_id, row_key, change FROM control_change WHERE table_name = $1 ORDER BY id DESC LIMIT 1', ['usage_rollup'])).toEqual([
      { organization_id: null, actor_id: 'test', row_key: { from: '2026-03-29T00:00:00.000Z', until: '2026-03-30T00:00:00.000Z' }, change: 'update' },
    ]);
    expect(await sqlStateFrom(rollups.money.control.query('SELECT rollup_rebuild($1, $2)', [day.from, day.until]))).toBe('KT040');
    const bound = changeThrough(rollups.money.control, rollups.organizationId, async (db) => {
      await db.query("SET LOCAL kilotoken.scope = ''");
      await db.query('SELECT rollup_rebuild($1, $2)', [day.from, day.until]);
    });
    expect(await sqlStateFrom(bound)).toBe('KT042');
  });

  it('of half a day is refused', async () => {
    await expect(async () => rebuildRollups(rollups.money.control, { from: noon, until: day.until })).rejects.toMatchObject({ code: 'rollup_days_invalid' });
  });

  it('of days of which usage has left the database is refused, and their rollups stand', async () => {
    await rollups.put([{ settledAt: noon }]);
    await rollups.rate();
    await rollups.rollUp();
    await rollups.money.sql(`INSERT INTO usage_archive (partition, first_id, until_id, rows, digest, file, file_bytes, file_sha256, settled_first, settled_last, detached_at)
      VALUES ('gone', uuid_floor('2020-01-01Z'), uuid_floor('2020-02-01Z'), 1, '', '', 0, '', $1, $1, now())`, [noon]);
    await rollups.money.sql('TRUNCATE usage');
    await expect(rebuildRollups(rollups.money.control, day)).rejects.toMatchObject({ code: 'rollup_usage_archived' });
    expect(await requests()).toEqual({ 1: '1', 15: '1', 1440: '1' });
    expect(await prove(day)).toMatchObject({ differences: [], daysArchived: 1 });
  });
});
