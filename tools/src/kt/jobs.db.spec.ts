import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { inTransaction } from '@kilotoken/platform';
import { enqueue } from '@kilotoken/events';
import { runCommand, type Ran } from '../../../test/support/command-run.js';
import { EventsDatabase } from '../../../test/support/events-database.js';
import { serviceUrl } from '../../../test/support/postgres.js';
import { runKt } from './main.js';

let events: EventsDatabase;
beforeAll(async () => {
  events = await EventsDatabase.create();
});
afterAll(() => events.drop());
beforeEach(async () => {
  await events.forget();
  const organizationId = await events.newTenant();
  await inTransaction(events.money.owner, async (db) => {
    for (const night of ['2026-12-01', '2026-12-02']) await enqueue(db, 'prune-events', night, { night });
    await enqueue(db, 'send-mail', 'mail', { address: 'a@example.com' }, organizationId);
  });
  await events.money.sql(`UPDATE outbox_job SET status = 'dead', attempts = 3, finished_at = kt_now(), outcome = '{"ok": false, "reason": "threw TypeError"}' WHERE key <> '2026-12-02'`);
});

const run = (...words: string[]): Promise<Ran> =>
  runCommand((output) => runKt(words, { environment: { DATABASE_URL: events.money.database.ownerUrl, CONTROL_DATABASE_URL: serviceUrl(events.money.database.appUrl, 'control') }, workingFolder: '/', callersFolder: '/', output }));

const runJson = async (...words: string[]) => {
  const { exitCode, out, error } = await run(...words, '--json');
  expect({ exitCode, error }).toEqual({ exitCode: 0, error: '' });
  return JSON.parse(out);
};

describe('kt jobs', () => {
  test('lists the jobs of all, of the platform, of a queue and of a status', async () => {
    const keys = async (...words: string[]): Promise<string[]> => (await runJson('jobs', 'list', ...words)).map(({ key }: { key: string }) => key);
    expect(await keys()).toEqual(['2026-12-01', '2026-12-02', 'mail']);
    expect(await keys('--org', 'platform')).toEqual(['2026-12-01', '2026-12-02']);
    expect(await keys('--queue', 'send-mail')).toEqual(['mail']);
    expect(await keys('--status', 'dead')).toEqual(['2026-12-01', 'mail']);
    expect(await keys('--status', 'dead', '--limit', '1')).toEqual(['2026-12-01']);
    expect(await runJson('jobs', 'list', '--queue', 'prune-events', '--status', 'dead')).toMatchObject([
      { organizationId: 'platform', status: 'dead', attempts: 3, payload: { night: '2026-12-01' }, outcome: { ok: false, reason: 'threw TypeError' } },
    ]);
    expect((await run('jobs', 'list', '--status', 'dead')).out).toMatch(/^prune-events +2026-12-01 +dead +3 +threw TypeError/m);
  });

  test('retries one job, and all dead ones of a queue', async () => {
    const [{ id }] = await runJson('jobs', 'list', '--queue', 'send-mail');
    expect(await runJson('jobs', 'retry', id)).toEqual({ retried: 1 });
    expect(await runJson('jobs', 'retry', '--dead', '--queue', 'prune-events')).toEqual({ retried: 1 });
    expect(await runJson('jobs', 'list', '--status', 'dead')).toEqual([]);
  });

  test.each([
    ['a job that there is not', ['retry', '00000000-0000-7000-8000-000000000000'], 'job_not_found'],
    ['an id that is none', ['retry', 'one'], 'events_invalid'],
    ['a queue that there is not', ['retry', '--dead', '--queue', 'later-queue'], 'events_invalid'],
    ['neither id nor queue', ['retry'], 'arguments_invalid'],
    ['both', ['retry', '00000000-0000-7000-8000-000000000000', '--dead'], 'arguments_invalid'],
    ['a status that there is not', ['list', '--status', 'lost'], 'events_invalid'],
  ])('refuses %s', async (_name, words, code) => {
    const { exitCode, out, error } = await run('jobs', ...words, '--json');
    expect([exitCode, out, JSON.parse(error).error.code]).toEqual([1, '', code]);
  });
});
