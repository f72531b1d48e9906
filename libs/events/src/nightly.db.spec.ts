import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Log } from '@kilotoken/platform';
import { openLog } from '@kilotoken/platform/process';
import { MoneyDatabase } from '../../../test/support/money-database.js';
import { NightlyService, type NightlyJob } from './nightly.service.js';

let money: MoneyDatabase;
let log: Log;
let runs: string[];
beforeAll(async () => {
  money = await MoneyDatabase.create();
  log = await openLog({ name: 'test', level: 'silent' });
});
afterAll(() => money.drop());
beforeEach(async () => {
  runs = [];
  await money.sql('DELETE FROM nightly_run');
  await money.shiftClock('0');
  await at('2026-12-01 12:00:00Z');
});

/** Moves the clock of the database to a moment. */
const at = async (moment: string): Promise<void> => {
  await money.sql('UPDATE database_mark SET clock_shift = $1::timestamptz - now()', [moment]);
};

const createNights = (run: NightlyJob['run'] = async () => ({}), claimMs = 3_600_000): NightlyService => {
  const nights = new NightlyService(money.app, log.logger, 10);
  nights.scheduleNightly({
    name: 'prove-books',
    at: '03:15',
    claimMs,
    run: async (signal) => {
      runs.push('run');
      return run(signal);
    },
  });
  return nights;
};

const { signal } = new AbortController();
const outcomes = () => money.sql<{ night: string; attempts: number; outcome: object; finished: boolean }>(
  "SELECT night::text, attempts, outcome, finished_at IS NOT NULL AS finished FROM nightly_run ORDER BY night",
);

describe('nightly work', () => {
  it('is done once a night, from its time on, however many processes there are; the first night is the next one', async () => {
    const processes = [createNights(), createNights(), createNights()];
    const look = () => Promise.all(processes.map((nights) => nights.runDue(signal)));
    await look();
    await at('2026-12-02 03:14:50Z');
    await look();
    expect(runs).toEqual([]);
    await at('2026-12-02 03:15:10Z');
    await look();
    await look();
    expect(runs).toEqual(['run']);
    await at('2026-12-05 18:00:00Z');
    await look();
    expect(runs).toEqual(['run', 'run']);
    expect((await outcomes()).map(({ night }) => night)).toEqual(['2026-12-01', '2026-12-02', '2026-12-05']);
  });

  it('that fails is tried again after ten minutes, three times in all', async () => {
    const nights = createNights(async () => {
      throw new TypeError('always');
    });
    await nights.runDue(signal);
    for (const minute of ['15', '20', '26', '37', '48', '59']) {
      await at(`2026-12-02 03:${minute}:30Z`);
      await nights.runDue(signal);
    }
    expect(runs).toHaveLength(3);
    expect((await outcomes()).at(-1)).toMatchObject({ attempts: 3, finished: false, outcome: { reason: 'threw TypeError' } });
  });

  it('whose process died is begun again when its claim is over, and what the lost run reports changes nothing', async () => {
    let finish = (_outcome: Record<string, unknown>): void => undefined;
    const lost = createNights(() => new Promise((resolve) => (finish = resolve)));
    await lost.runDue(signal);
    await at('2026-12-02 03:16:00Z');
    const running = lost.runDue(signal);
    while (runs.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await createNights().runDue(signal);
    expect(runs).toHaveLength(1);
    await at('2026-12-02 05:00:00Z');
    await createNights(async () => ({ by: 'the second' })).runDue(signal);
    finish({ by: 'the first' });
    await running;
    expect((await outcomes()).at(-1)).toMatchObject({ attempts: 2, finished: true, outcome: { by: 'the second' } });
  });

  it('has a name and a time of its own', () => {
    const nights = createNights();
    const job = { name: 'other', claimMs: 1_000, run: async () => ({}) };
    for (const at of ['24:00', '3:15', '03:60', '']) expect(() => nights.scheduleNightly({ ...job, at })).toThrow(RangeError);
    expect(() => nights.scheduleNightly({ ...job, name: 'prove-books', at: '03:15' })).toThrow('scheduled already');
  });
});
