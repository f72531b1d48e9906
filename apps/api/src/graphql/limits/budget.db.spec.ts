import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Db } from '@kilotoken/platform';
import { MoneyDatabase } from '../../../../../test/support/money-database.js';
import { toBudget } from './limit.js';
import { listLimits } from './limit.store.js';

let money: MoneyDatabase;
beforeAll(async () => {
  money = await MoneyDatabase.create();
});
afterAll(() => money.drop());

describe('the use of a rolling budget', () => {
  it('is the use of the last span, by which gateways decide, while its period for alerts goes on', async () => {
    const { organizationId } = await money.newTenant('100');
    const session = await money.newSession();
    const [limit] = await money.sql<{ id: string }>(
      `INSERT INTO usage_limit (organization_id, id, subject_kind, subject_id, measure, unit, window_kind, window_ms, amount, mode)
       VALUES ($1, uuidv7(), 'organization', $1, 'money', 'USD', 'rolling', 3600000, 10, 'hard') RETURNING id`, [organizationId]);
    /** A gateway asks for a part; answers the rest that gateways may have. */
    const take = async (need: number): Promise<number> => {
      const ask = [{ limit: limit!.id, subject: organizationId, keep: [], need, least: need, spare: 0 }];
      const [row] = await money.sql<{ answer: { remaining: string }[] }>('SELECT limit_exchange($1, $2, uuidv7(), uuidv7(), $3)::jsonb AS answer', [session, organizationId, JSON.stringify(ask)]);
      return Number(row!.answer[0]!.remaining);
    };
    const budget = async () => {
      const [[row]] = (await listLimits(money.owner as unknown as Db, [organizationId])) as [[Parameters<typeof toBudget>[0]]];
      return toBudget(row);
    };
    // Midnight of UTC and two hours: the clock may go on by as much without another period of a day.
    await money.sql("UPDATE database_mark SET clock_shift = date_trunc('day', kt_now() - clock_shift, 'UTC') + interval '1 day 2 hours' - (kt_now() - clock_shift)");
    expect(await take(8)).toBe(2);
    const first = await budget();
    expect(first).toMatchObject({ used: '8', left: '2' });
    expect(await take(3)).toBe(2);
    await money.sql("UPDATE database_mark SET clock_shift = clock_shift + interval '2 hours'");
    const later = await budget();
    expect(later).toMatchObject({ used: '0', left: '10', periodStart: first.periodStart, periodEnd: first.periodEnd });
    expect(await take(3)).toBe(7);
    expect(await budget()).toMatchObject({ used: '3', left: '7' });
    await money.shiftClock('0');
  });
});
