import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '@kilotoken/platform';
import { pino } from 'pino';
import { expectInvariants } from '../../../test/support/invariants.js';
import { MoneyDatabase } from '../../../test/support/money-database.js';
import { until } from '../../../test/support/until.js';
import { ReapingService } from './reaping.service.js';

const sessionTtlMs = 4_000;
const lookMs = 500;
const silent = pino({ level: 'silent' });

let money: MoneyDatabase;

beforeAll(async () => {
  money = await MoneyDatabase.create();
});
afterEach(() => expectInvariants(money.database.ownerUrl));
afterAll(() => money.drop());

/** A reaper whose time is the test's. */
class Reaper {
  nowMs = 0;
  reaped = 0;
  private readonly service = new ReapingService({ sessionTtlMs }, money.app, { nowMs: () => 0, monotonicMs: () => this.nowMs }, silent, () => (this.reaped += 1));

  async look(afterMs: number): Promise<void> {
    this.nowMs += afterMs;
    await this.service.look();
  }
}

const beat = (session: string) => money.app.query('SELECT session_confirm($1)', [session]);
const isAlive = async (session: string): Promise<boolean> => (await money.poll(session)).alive;

describe('a reaper', () => {
  it('ends a session that it saw silent for its time to live, and none that beats', async () => {
    await money.newTenant('100');
    const [quiet, beating] = [await money.newSession(), await money.newSession()];
    for (const session of [quiet, beating]) await money.take(session, { need: '10' });
    const reaper = new Reaper();
    await reaper.look(0);
    for (let passedMs = lookMs; passedMs < sessionTtlMs; passedMs += lookMs) {
      await beat(beating);
      await reaper.look(lookMs);
    }
    expect([await isAlive(quiet), await isAlive(beating)]).toEqual([true, true]);
    await reaper.look(lookMs);
    expect([await isAlive(quiet), await isAlive(beating)]).toEqual([false, true]);
    expect(reaper.reaped).toBe(1);
    expect(await money.grant(money.tenant.grantIds[0]!)).toMatchObject({ available: '90', leased: '10' });
  });

  it('believes its own eyes alone: one that has just started ends nobody', async () => {
    const session = await money.newSession();
    await money.sql("UPDATE session_heartbeat SET beat_at = kt_now() - interval '1 day'");
    await new Reaper().look(1_000_000);
    expect(await isAlive(session)).toBe(true);
  });

  it('is not the only one: of several one ends a session', async () => {
    const session = await money.newSession();
    const reapers = [new Reaper(), new Reaper(), new Reaper()];
    for (let passedMs = 0; passedMs <= sessionTtlMs; passedMs += lookMs) await Promise.all(reapers.map((reaper) => reaper.look(lookMs)));
    expect(await isAlive(session)).toBe(false);
    const open = Number((await money.sql<{ count: bigint }>('SELECT count(*) FROM session WHERE reaped_at IS NULL'))[0]!.count);
    expect(open).toBe(0);
    // Sessions of the tests before this one are among them: each was ended by one.
    expect(reapers.reduce((sum, { reaped }) => sum + reaped, 0)).toBe(3);
  });

  it('ends a session whose heartbeat row is gone: it is silent, whether its process lives or not', async () => {
    const session = await money.newSession();
    await money.sql('DELETE FROM session_heartbeat WHERE session_id = $1', [session]);
    const reaper = new Reaper();
    for (let passedMs = 0; passedMs <= sessionTtlMs; passedMs += lookMs) {
      expect((await money.app.query<{ alive: boolean }>('SELECT session_confirm($1) AS alive', [session])).rows).toEqual([{ alive: false }]);
      await reaper.look(lookMs);
    }
    expect(await isAlive(session)).toBe(false);
  });

  it('spares a session that beats while it is about to be reaped', async () => {
    const session = await money.newSession();
    const reap = async (beaten: bigint): Promise<boolean> =>
      (await money.app.query<{ answer: { reaped: boolean } }>('SELECT session_reap_silent($1, $2) AS answer', [session, beaten])).rows[0]!.answer.reaped;
    await beat(session);
    expect([await reap(0n), await isAlive(session)]).toEqual([false, true]);
    expect([await reap(1n), await isAlive(session)]).toEqual([true, false]);
    expect((await money.app.query<{ alive: boolean }>('SELECT session_confirm($1) AS alive', [session])).rows).toEqual([{ alive: false }]);
  });

  it('looks by itself until it is stopped', async () => {
    const session = await money.newSession();
    const service = new ReapingService({ sessionTtlMs: 600 }, money.app, systemClock, silent, () => undefined);
    service.start();
    await until('the session is reaped', async () => !(await isAlive(session)));
    service.stop();
  });
});
