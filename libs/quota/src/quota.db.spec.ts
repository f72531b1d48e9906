import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { rollApiKey } from '@kilotoken/identity';
import { createControlClient, type ControlClient } from '@kilotoken/platform/prisma';
import { MoneyDatabase, sqlStateFrom } from '../../../test/support/money-database.js';
import { testActor } from '../../../test/support/test-actor.js';
import { listLimits, removeLimit, setLimit, type NewLimit } from './limits.flow.js';

/** The functions of the migration `limits` on a real Postgres, by the application's login, many connections at once. */

let money: MoneyDatabase;
let prisma: ControlClient;
let organizationId: string;

beforeAll(async () => {
  money = await MoneyDatabase.create();
  prisma = createControlClient(money.database.ownerUrl, testActor, { applicationName: 'test' });
});
afterAll(async () => {
  await prisma.$disconnect();
  await money.drop();
});

const newOrganization = async (): Promise<void> => void ({ organizationId } = await money.newTenant('1000'));
const limitOn = async (more: Partial<NewLimit> = {}): Promise<string> =>
  (await setLimit(prisma, { organizationId, subject: { kind: 'organization' }, measure: 'tokens', window: 'day', amount: '100', mode: 'hard', ...more })).id;

interface State {
  remaining: string;
  pending: boolean;
  freeAtMs: number | null;
  resetAtMs: number | null;
  slices: { start: number; from: number; until: number; amount: string }[];
}
interface Row {
  need?: number;
  least?: number;
  spare?: number;
  subject?: string;
  keep?: { start: number; keep: number; open?: boolean; close?: boolean }[];
}
const exchange = async (session: string, limit: string, { need = 0, least = need, spare = 0, subject = organizationId, keep = [] }: Row, ask = money.mintId()): Promise<State> => {
  const rows = JSON.stringify([{ limit, subject, need, least, spare, keep: keep.map(({ start, keep: amount, open = false, close = false }) => ({ start, keep: amount, open, close })) }]);
  const { rows: answers } = await money.app.query<{ states: State[] }>('SELECT limit_exchange($1, $2, $3, $4, $5) AS states', [session, organizationId, ask, firstUsageId, rows]);
  return answers[0]!.states[0]!;
};
const firstUsageId = '00000000-0000-7000-8000-000000000000';
const amountOf = ({ slices }: State): number => slices.reduce((sum, { amount }) => sum + Number(amount), 0);
const taken = async (limit: string): Promise<number> => Number((await money.sql<{ n: string }>('SELECT coalesce(sum(taken), 0) AS n FROM limit_counter WHERE limit_id = $1', [limit]))[0]!.n);

describe('an exchange', () => {
  it('gives no more than the limit to however many sessions that ask at once', async () => {
    await newOrganization();
    const limit = await limitOn();
    const sessions = await Promise.all(Array.from({ length: 24 }, () => money.newSession()));
    const states = await Promise.all(sessions.flatMap((session) => [exchange(session, limit, { need: 7, spare: 20 }), exchange(session, limit, { need: 1 })]));
    expect(await taken(limit)).toBe(100);
    const slices = await money.sql<{ n: string }>('SELECT sum(amount) AS n FROM limit_slice WHERE limit_id = $1', [limit]);
    expect(Number(slices[0]!.n)).toBe(100);
    expect(states.some((state) => Number(state.remaining) === 0)).toBe(true);
  });

  it('that comes again, or late, changes nothing', async () => {
    await newOrganization();
    const limit = await limitOn();
    const session = await money.newSession();
    const [first, second] = [money.mintId(), money.mintId()];
    expect(amountOf(await exchange(session, limit, { need: 10 }, first))).toBe(10);
    expect(amountOf(await exchange(session, limit, { need: 10 }, first))).toBe(10);
    expect(amountOf(await exchange(session, limit, { need: 5 }, second))).toBe(15);
    expect(amountOf(await exchange(session, limit, { need: 10 }, first))).toBe(15);
    expect(await taken(limit)).toBe(15);
  });

  it('takes back what is not kept, leaves what was used counted, and says when the window ends', async () => {
    await newOrganization();
    const limit = await limitOn();
    const session = await money.newSession();
    const state = await exchange(session, limit, { need: 60 });
    const { start, until } = state.slices[0]!;
    expect([until - start, state.freeAtMs, state.resetAtMs]).toEqual([86_400_000, until, until]);
    expect(await exchange(session, limit, { keep: [{ start, keep: 20 }] })).toMatchObject({ remaining: '80.000000000000' });
    expect(await exchange(session, limit, { keep: [{ start, keep: 5, close: true }] })).toMatchObject({ remaining: '95.000000000000', slices: [] });
    expect(await taken(limit)).toBe(5);
  });

  it('asks back from others what they may have idle, once, and waits for nobody who has nothing', async () => {
    await newOrganization();
    const limit = await limitOn();
    const [rich, poor] = [await money.newSession(), await money.newSession()];
    const { slices } = await exchange(rich, limit, { need: 100 });
    expect(await exchange(poor, limit, { need: 10 })).toMatchObject({ pending: true, slices: [] });
    const polled = await money.poll(rich);
    expect((polled as unknown as { recalledLimits: object[] }).recalledLimits).toEqual([{ organizationId, limitId: limit, subject: organizationId }]);
    await exchange(rich, limit, { keep: [{ start: slices[0]!.start, keep: 95, open: false }] });
    expect(await exchange(poor, limit, { need: 10 })).toMatchObject({ pending: false, remaining: '5.000000000000' });
    expect(amountOf(await exchange(poor, limit, { need: 10, least: 3 }))).toBe(5);
  });

  it('of a session that was reaped is refused', async () => {
    await newOrganization();
    const limit = await limitOn();
    const session = await money.newSession();
    await money.reap(session);
    expect(await sqlStateFrom(exchange(session, limit, { need: 1 }))).toBe('KT001');
  });

  it('for a limit that is gone answers that it is, and so do its counters', async () => {
    await newOrganization();
    const limit = await limitOn();
    const session = await money.newSession();
    await exchange(session, limit, { need: 1 });
    await removeLimit(prisma, { organizationId, id: limit });
    expect(await exchange(session, limit, { need: 1 })).toBeNull();
    expect(await taken(limit)).toBe(0);
  });
});

describe('a window', () => {
  const windowAt = async (kind: string, zone: string, at: string): Promise<[string, string]> => {
    const [row] = await money.sql<{ s: string; e: string }>("SELECT to_char(starts_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') AS s, to_char(ends_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') AS e FROM calendar_window($1, $2, $3)", [kind, zone, at]);
    return [row!.s, row!.e];
  };

  it.each([
    ['an ordinary day', 'day', 'Europe/Berlin', '2026-06-15T12:00Z', '2026-06-14 22:00', '2026-06-15 22:00'],
    ['a day of 23 hours', 'day', 'Europe/Berlin', '2026-03-29T12:00Z', '2026-03-28 23:00', '2026-03-29 22:00'],
    ['a day of 25 hours', 'day', 'Europe/Berlin', '2026-10-25T12:00Z', '2026-10-24 22:00', '2026-10-25 23:00'],
    ['a midnight that is skipped', 'day', 'America/Sao_Paulo', '2018-11-04T12:00Z', '2018-11-04 03:00', '2018-11-05 02:00'],
    ['a quarter of an hour off', 'day', 'Asia/Kathmandu', '2026-06-15T18:14Z', '2026-06-14 18:15', '2026-06-15 18:15'],
    ['a week, from Monday', 'week', 'UTC', '2026-11-22T23:59Z', '2026-11-16 00:00', '2026-11-23 00:00'],
    ['a month with a clock change', 'month', 'America/New_York', '2026-03-20T00:00Z', '2026-03-01 05:00', '2026-04-01 04:00'],
    ['a leap February', 'month', 'Pacific/Auckland', '2028-02-29T12:00Z', '2028-02-29 11:00', '2028-03-31 11:00'],
  ])('is %s', async (_name, kind, zone, at, start, end) => {
    expect(await windowAt(kind, zone, at)).toEqual([start, end]);
  });

  it('holds the moment that it was asked for, and the next one begins where it ends, in every zone, midnight once, twice or never', async () => {
    const zones = ['Europe/Berlin', 'America/Havana', 'America/Sao_Paulo', 'Asia/Beirut', 'Australia/Lord_Howe', 'Pacific/Apia', 'Africa/Casablanca', 'UTC'];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('day', 'week', 'month'), fc.constantFrom(...zones), fc.integer({ min: 1_200_000_000, max: 1_900_000_000 }), async (kind, zone, second) => {
        const [row] = await money.sql<{ holds: boolean; adjoins: boolean }>(
          `SELECT w.starts_at <= at AND at < w.ends_at AS holds, (calendar_window($1, $2, w.ends_at)).starts_at = w.ends_at AS adjoins
           FROM (SELECT to_timestamp($3) AS at) t CROSS JOIN LATERAL calendar_window($1, $2, t.at) w`,
          [kind, zone, second],
        );
        expect([row!.holds, row!.adjoins]).toEqual([true, true]);
      }),
      { numRuns: 300 },
    );
  });

  it("of a day begins anew at the organization's midnight, and counts on when the zone is changed", async () => {
    await newOrganization();
    const limit = await limitOn();
    const session = await money.newSession();
    const [{ zone }] = (await money.sql<{ zone: string }>("SELECT CASE WHEN extract(hour FROM kt_now() AT TIME ZONE 'UTC') < 12 THEN 'Pacific/Honolulu' ELSE 'Pacific/Kiritimati' END AS zone")) as [{ zone: string }];
    await exchange(session, limit, { need: 80 });
    await money.sql('UPDATE organization SET time_zone = $2 WHERE id = $1', [organizationId, zone]);
    // The day of the new zone overlaps that of the old one.
    expect(await exchange(session, limit, { need: 30 })).toMatchObject({ remaining: '20.000000000000' });
    try {
      await money.shiftClock('2 days');
      expect(amountOf(await exchange(session, limit, { need: 100 }))).toBe(180);
    } finally {
      await money.shiftClock('0');
    }
  });

  describe('under way when the time zone is changed', () => {
    const at = (moment: string) => money.sql('UPDATE database_mark SET clock_shift = $1::timestamptz - now()', [moment]);
    const setZone = (zone: string) => money.sql('UPDATE organization SET time_zone = $2 WHERE id = $1', [organizationId, zone]);
    const endsOf = async (limit: string): Promise<string[]> => {
      const rows = await money.sql<{ ends: string }>("SELECT to_char(to_timestamp(window_end_ms / 1000.0) AT TIME ZONE 'UTC', 'MM-DD HH24:MI') AS ends FROM limit_counter WHERE limit_id = $1 ORDER BY 1", [limit]);
      return rows.map(({ ends }) => ends);
    };
    afterEach(() => money.shiftClock('0'));

    it.each<[string, 'day' | 'week' | 'month', string, string, string, string]>([
      ['a day', 'day', 'UTC', 'Asia/Kathmandu', '2027-06-15T18:10Z', '06-15 18:15'],
      ['a day that becomes longer', 'day', 'Asia/Kathmandu', 'UTC', '2027-06-15T18:10Z', '06-16 00:00'],
      ['a week', 'week', 'UTC', 'Pacific/Kiritimati', '2027-06-20T09:00Z', '06-20 10:00'],
      ['a month', 'month', 'UTC', 'Europe/Berlin', '2027-06-30T21:50Z', '06-30 22:00'],
      ['a month that begins as before and ends later', 'month', 'Europe/London', 'UTC', '2027-03-31T22:50Z', '04-01 00:00'],
    ])('%s counts on until it ends by the new one, and then the limit is whole', async (_name, window, from, to, moment, end) => {
      await newOrganization();
      await setZone(from);
      const limit = await limitOn({ window });
      const session = await money.newSession();
      await at(moment);
      await exchange(session, limit, { need: 80 });
      await setZone(to);
      expect(await exchange(session, limit, { need: 30 })).toMatchObject({ remaining: '20.000000000000', slices: [{ until: Date.parse(`2027-${end.replace(' ', 'T')}Z`) }] });
      await at(`2027-${end}Z`);
      await exchange(session, limit, { need: 100 });
      expect(await taken(limit)).toBe(180);
    });

    it('counts in the next one too where it ends in the next minute: a gateway may not have heard', async () => {
      await newOrganization();
      const limit = await limitOn();
      const session = await money.newSession();
      await at('2027-06-15T18:14:30Z');
      await exchange(session, limit, { need: 80 });
      await setZone('Asia/Kathmandu');
      expect(await endsOf(limit)).toEqual(['06-16 18:15']);
      await at('2027-06-15T18:15:00Z');
      expect(await exchange(session, limit, { need: 30 })).toMatchObject({ remaining: '20.000000000000' });
    });

    it('is taken from again where the zone is changed back after its end', async () => {
      await newOrganization();
      const limit = await limitOn();
      const session = await money.newSession();
      await at('2027-06-15T12:00Z');
      await exchange(session, limit, { need: 80 });
      await setZone('Asia/Kathmandu');
      await at('2027-06-15T19:00Z');
      await setZone('UTC');
      expect(await exchange(session, limit, { need: 15 })).toMatchObject({ remaining: '5.000000000000', slices: [{ amount: '95.000000000000', until: Date.parse('2027-06-16T00:00Z') }] });
    });

    it('moves no window that rolls, and none of another organization', async () => {
      await newOrganization();
      const other = await limitOn();
      await at('2027-06-15T12:00Z');
      await exchange(await money.newSession(), other, { need: 1 });
      await newOrganization();
      const rolling = await limitOn({ window: 3_600_000 });
      await exchange(await money.newSession(), rolling, { need: 1 });
      const before = await endsOf(rolling);
      await setZone('Asia/Kathmandu');
      expect([await endsOf(rolling), await endsOf(other)]).toEqual([before, ['06-16 00:00']]);
    });
  });

  it('that rolls gives back as time passes, a part at a time, and never early', async () => {
    await newOrganization();
    const limit = await limitOn({ window: 3_600_000 });
    const session = await money.newSession();
    const shifted = async (minutes: number): Promise<number> => {
      await money.shiftClock(`${minutes} minutes`);
      return Number((await exchange(session, limit, {})).remaining);
    };
    try {
      await exchange(session, limit, { need: 60 });
      await money.shiftClock('30 minutes');
      await exchange(session, limit, { need: 40 });
      expect([await shifted(31), await shifted(60), await shifted(67), await shifted(90), await shifted(97)]).toEqual([0, 0, 60, 60, 100]);
    } finally {
      await money.shiftClock('0');
    }
  });
});

describe('a session that is reaped', () => {
  it('gives back its concurrency, and of a day what its usage rows do not name; requests stay counted', async () => {
    await newOrganization();
    const limits = {
      tokens: await limitOn(),
      money: await limitOn({ measure: 'money', currency: 'USD', window: 'month' }),
      user: await limitOn({ subject: { kind: 'end_user' } }),
      key: await limitOn({ subject: { kind: 'key', keyId: money.tenant.keys[0]!.id }, measure: 'input_tokens' }),
      requests: await limitOn({ measure: 'requests' }),
      rolling: await limitOn({ window: 60_000 }),
      concurrency: await limitOn({ measure: 'concurrency', window: null }),
    };
    const session = await money.newSession();
    const subjects: Partial<Record<keyof typeof limits, string>> = { user: 'ada', key: money.tenant.keys[0]!.id };
    for (const [name, limit] of Object.entries(limits)) await exchange(session, limit, { need: 50, subject: subjects[name as keyof typeof limits] ?? organizationId });
    const now = (await money.sql<{ ms: number }>('SELECT (extract(epoch FROM kt_now()) * 1000)::float8 AS ms'))[0]!.ms;
    const row = (charge: number, user: string | null) => ({ ...(money.usageRow({ charge, counts: { input: 4, cached_read: 1, output: 3, reasoning: 2 }, ...(user ? { user } : {}) }) as object), admitted: now });
    await money.app.query('SELECT settle($1, 1, $2)', [session, JSON.stringify([row(7, 'ada'), row(5, null)])]);
    await money.reap(session);
    const counted = async (limit: string) => Number((await money.sql<{ n: string }>('SELECT sum(taken) AS n FROM limit_counter WHERE limit_id = $1', [limit]))[0]!.n);
    expect(Object.fromEntries(await Promise.all(Object.entries(limits).map(async ([name, limit]) => [name, await counted(limit)] as const)))).toEqual({
      tokens: 20, money: 12, user: 10, key: 10, requests: 50, rolling: 50, concurrency: 0,
    });
    expect(await money.sql('SELECT FROM limit_slice WHERE session_id = $1', [session])).toEqual([]);
  });
});

describe('a limit', () => {
  it('on a key holds for the keys that it is rolled to, with what it has counted', async () => {
    await newOrganization();
    const { id, key } = money.tenant.keys[0]!;
    const limit = await limitOn({ subject: { kind: 'key', keyId: id } });
    const resolve = async (text: string) => {
      const { rows } = await money.app.query<{ lineage_id: string; limits: { id: string; subjectId: string }[] }>('SELECT * FROM key_resolve_caller(sha256($1))', [Buffer.from(text)]);
      return rows[0]!;
    };
    const old = await resolve(key);
    const rolled = await rollApiKey(prisma, { organizationId, id, overlapMs: 60_000 });
    const twice = await rollApiKey(prisma, { organizationId, id: rolled.id });
    for (const heir of [rolled.key, twice.key]) expect(await resolve(heir)).toMatchObject({ lineage_id: old.lineage_id, limits: [{ id: limit, subjectId: id }] });
    // Set by a later key's id it is the same limit.
    expect((await setLimit(prisma, { organizationId, subject: { kind: 'key', keyId: twice.id }, measure: 'tokens', window: 'day', amount: '7', mode: 'soft' })).id).toBe(limit);
  });

  it('that is set again changes its amount and mode, and keeps what it has counted', async () => {
    await newOrganization();
    const limit = await limitOn();
    await exchange(await money.newSession(), limit, { need: 10 });
    expect(await limitOn({ amount: '200', mode: 'soft' })).toBe(limit);
    expect(await listLimits(prisma, organizationId)).toMatchObject([{ id: limit, mode: 'soft', counted: 10_000_000_000_000n }]);
  });

  it("is not set for another organization's key, project, or in a way that means nothing", async () => {
    await newOrganization();
    const foreign = { key: money.tenant.keys[0]!.id, project: money.tenant.projectId };
    await newOrganization();
    const wrong: [Partial<NewLimit>, string][] = [
      [{ subject: { kind: 'key', keyId: foreign.key } }, 'api_key_not_found'],
      [{ subject: { kind: 'project', project: foreign.project } }, 'project_not_found'],
      [{ amount: '1.5' }, 'limit_invalid'],
      [{ amount: '-1' }, 'limit_invalid'],
      [{ amount: '1e3' }, 'limit_invalid'],
      [{ window: null }, 'limit_invalid'],
      [{ window: 999 }, 'limit_invalid'],
      [{ measure: 'concurrency' }, 'limit_invalid'],
      [{ measure: 'money' }, 'limit_invalid'],
      [{ measure: 'tokens', currency: 'USD' }, 'limit_invalid'],
    ];
    for (const [more, code] of wrong) await expect(limitOn(more)).rejects.toMatchObject({ code });
    await expect(removeLimit(prisma, { organizationId, id: firstUsageId })).rejects.toMatchObject({ code: expect.stringMatching(/^limit_/) });
    expect(await listLimits(prisma, organizationId)).toEqual([]);
  });
});
