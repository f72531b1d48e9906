import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Log } from '@kilotoken/platform';
import { openLog } from '@kilotoken/platform/process';
import { EventsDatabase, HeldQueue, tableOf } from '../../../test/support/events-database.js';
import { JobRunnerService } from './job-runner.service.js';
import { NightlyService, type NightlyJob } from './nightly.service.js';
import { OutboxService } from './outbox.service.js';
import type { JobOutcome } from './queue-table.js';
import { nightWaitsSeconds } from './retry.js';

const nights: readonly NightlyJob[] = [{ name: 'reconcile', queue: 'prove-books', at: '03:15' }];

let events: EventsDatabase;
let log: Log;
let runs: string[];
beforeAll(async () => {
  events = await EventsDatabase.create();
  log = await openLog({ name: 'test', level: 'silent' });
});
afterAll(() => events.drop());
beforeEach(async () => {
  runs = [];
  await events.money.sql('DELETE FROM nightly_run');
  await events.forget();
  await events.money.shiftClock('0');
  await at('2026-12-01 12:00:00Z');
});

/** Moves the clock of the database to a moment. */
const at = async (moment: string): Promise<void> => {
  await events.money.sql('UPDATE database_mark SET clock_shift = $1::timestamptz - now()', [moment]);
};

type Run = () => Promise<JobOutcome>;
const proven: Run = async () => ({ ok: true, reason: 'proven' });

/** A process that enqueues what is due, hands it over and runs it. */
const createProcess = (run: Run = proven): { look(): Promise<void> } => {
  const { app } = events.money;
  const queue = new HeldQueue();
  const processor = { run: async (job: { payload: { night: string } }) => (runs.push(job.payload.night), run()) };
  const table = tableOf({ 'prove-books': { processor, waitsSeconds: nightWaitsSeconds } });
  const nightly = new NightlyService(nights, app, log.logger, 10);
  const outbox = new OutboxService({ pauseMs: 10, perOrganizationMax: 8, silenceMs: 30_000 }, table, app, queue, log.logger);
  const runner = new JobRunnerService(table, app, queue, log.logger);
  return {
    look: async () => {
      await nightly.enqueueDue();
      await outbox.moveOnce();
      for (const job of queue.take()) await runner.runOnce('prove-books', job);
    },
  };
};

describe('nightly work', () => {
  it('nightly work is done once a night, from its time on, by however many processes; the first night is the next one', async () => {
    const processes = [createProcess(), createProcess(), createProcess()];
    const look = () => Promise.all(processes.map((process) => process.look()));
    await look();
    await at('2026-12-02 03:14:50Z');
    await look();
    expect(runs).toEqual([]);
    await at('2026-12-02 03:15:10Z');
    await look();
    await look();
    expect(runs).toEqual(['2026-12-02']);
    await at('2026-12-05 18:00:00Z');
    await look();
    expect(runs).toEqual(['2026-12-02', '2026-12-05']);
    expect(await events.jobs()).toMatchObject([{ queue: 'prove-books', status: 'done' }, { queue: 'prove-books', status: 'done' }]);
  });

  it('nightly work that fails is tried three times, ten minutes apart, and again the next night', async () => {
    const process = createProcess(async () => {
      throw new TypeError('always');
    });
    await process.look();
    for (const minute of ['15', '20', '29', '45', '59']) {
      await at(`2026-12-02 03:${minute}:30Z`);
      await process.look();
    }
    expect(runs).toHaveLength(3);
    expect(await events.jobs()).toMatchObject([{ attempts: 3, status: 'dead', outcome: { reason: 'threw TypeError' } }]);
    await at('2026-12-03 03:16:00Z');
    await createProcess().look();
    expect(runs.at(-1)).toBe('2026-12-03');
  });

  it('nightly work of a process that died begins again a minute later, and a late report of the lost run changes nothing', async () => {
    let finish = (_outcome: JobOutcome): void => undefined;
    const lost = createProcess(() => new Promise((resolve) => (finish = resolve)));
    await lost.look();
    await at('2026-12-02 03:16:00Z');
    const running = lost.look();
    while (runs.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await createProcess().look();
    expect(runs).toHaveLength(1);
    await at('2026-12-02 03:17:10Z');
    await createProcess(async () => ({ ok: true, reason: 'the second' })).look();
    finish({ ok: false, reason: 'the first' });
    await running;
    expect(await events.jobs()).toMatchObject([{ attempts: 2, status: 'done', outcome: { reason: 'the second' } }]);
  });

  it('nightly work needs a name of its own and a time of day', () => {
    const create = (...others: NightlyJob[]) => new NightlyService([...nights, ...others], events.money.app, log.logger, 10);
    for (const time of ['24:00', '3:15', '03:60', '']) expect(() => create({ name: 'other', queue: 'prune-events', at: time })).toThrow(RangeError);
    expect(() => create({ name: 'reconcile', queue: 'prune-events', at: '03:15' })).toThrow('one name');
  });
});
