import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { platformId } from '@kilotoken/contracts';
import { asOrganization, inTransaction, type Log } from '@kilotoken/platform';
import { openLog } from '@kilotoken/platform/process';
import { createPrisma, type PrismaClient } from '@kilotoken/platform/prisma';
import { EventsDatabase, HeldQueue, tableOf } from '../../../test/support/events-database.js';
import { enqueue } from './enqueue.js';
import { JobRunnerService } from './job-runner.service.js';
import { listJobs, retryJobs } from './job.flow.js';
import { OutboxService } from './outbox.service.js';
import { readQueueStates } from './outbox.store.js';
import type { JobOutcome, JobProcessor } from './queue-table.js';
import { QueueWatchService } from './queue-watch.service.js';

/** Jobs of our own: no event of an organization caused them. */
const perOrganizationMax = 8;
const night = { night: '2026-12-01' };

let events: EventsDatabase;
let prisma: PrismaClient;
let log: Log;
beforeAll(async () => {
  events = await EventsDatabase.create();
  prisma = createPrisma(events.money.database.ownerUrl, { applicationName: 'test' });
  log = await openLog({ name: 'test', level: 'silent' });
});
beforeEach(() => events.forget());
afterAll(async () => {
  await prisma.$disconnect();
  await events.drop();
});

const enqueueNight = (key: string): Promise<boolean> => inTransaction(events.money.app, (db) => enqueue(db, 'prune-events', key, night));

type Run = JobProcessor<'prune-events'>['run'];
const done: Run = async () => ({ ok: true, reason: 'done' });

const createProcess = (run: Run, timeoutMs = 15_000) => {
  const { app } = events.money;
  const queue = new HeldQueue();
  const table = tableOf({ 'prune-events': { processor: { run }, timeoutMs }, 'deliver-webhook': { processor: { run: async () => ({ ok: true, reason: 'done' }) } } });
  const outbox = new OutboxService({ pauseMs: 10, perOrganizationMax, silenceMs: 30_000 }, table, app, queue, log.logger);
  const runner = new JobRunnerService(table, app, queue, log.logger);
  return {
    table,
    handOver: () => outbox.moveOnce(),
    runHandedOver: async () => {
      for (const job of queue.take()) await runner.runOnce('prune-events', job);
    },
    runDue: async () => {
      await outbox.moveOnce();
      for (const job of queue.take()) await runner.runOnce('prune-events', job);
    },
  };
};

describe('jobs of our own', () => {
  it('a cause enqueues one job for a key, and none if it rolls back', async () => {
    await expect(
      inTransaction(events.money.app, async (db) => {
        await enqueue(db, 'prune-events', 'one', night);
        throw new Error('the cause fails');
      }),
    ).rejects.toThrow('the cause fails');
    expect(await events.jobs()).toEqual([]);
    expect(await Promise.all([enqueueNight('one'), enqueueNight('one'), enqueueNight('one')])).toEqual(expect.arrayContaining([true, false, false]));
    expect(await enqueueNight('two')).toBe(true);
    expect(await events.jobs()).toMatchObject([{ queue: 'prune-events', status: 'waiting' }, { status: 'waiting' }]);
  });

  it('a transaction of Prisma, one of pg and SQL enqueue alike', async () => {
    await expect(
      prisma.$transaction(async (db) => {
        await enqueue(db, 'prune-events', 'prisma', night);
        throw new Error('the cause fails');
      }),
    ).rejects.toThrow('the cause fails');
    expect(await prisma.$transaction((db) => enqueue(db, 'prune-events', 'prisma', night))).toBe(true);
    expect(await enqueueNight('prisma')).toBe(false);
    await events.money.sql("SELECT outbox_enqueue(platform_organization(), 'prune-events', 'sql', $1)", [JSON.stringify(night)]);
    expect((await listJobs(events.money.owner, {})).map(({ key, organizationId }) => [key, organizationId])).toEqual([['prisma', platformId], ['sql', platformId]]);
  });

  it("a key names a job within its owner, and no tenant sees the platform's jobs", async () => {
    const [one, other] = [await events.newTenant(), await events.newTenant()];
    const send = (organizationId: string) => inTransaction(events.money.app, (db) => enqueue(db, 'send-mail', 'key', { address: 'a@example.com' }, organizationId));
    expect([await send(one), await send(other), await send(one), await enqueueNight('key')]).toEqual([true, true, false, true]);
    const seenBy = async (organizationId: string) =>
      asOrganization(events.money.app, organizationId, async (db) => (await db.query<{ organization: string }>('SELECT organization_id AS organization FROM outbox_job')).rows);
    expect(await seenBy(one)).toEqual([{ organization: one }]);
    const asPlatform = "INSERT INTO organization (id, name, slug, account_root_id, price_book_id) SELECT $1, 'Platform', 'platform', $1, price_book_id FROM organization LIMIT 1";
    await expect(events.money.sql(asPlatform, [platformId])).rejects.toMatchObject({ constraint: 'organization_is_not_the_platform' });
  });

  it.each([
    ['a payload that its queue does not know', 'key', { night: 'yesterday' }],
    ['a field that its queue does not know', 'key', { ...night, more: 1 }],
    ['no key', '', night],
    ['a key without end', 'x'.repeat(201), night],
  ])('enqueue refuses %s', async (_name, key, payload) => {
    await expect(inTransaction(events.money.app, (db) => enqueue(db, 'prune-events', key, payload))).rejects.toMatchObject({ code: 'events_invalid' });
    expect(await events.jobs()).toEqual([]);
  });

  it('a processor gets the payload and the owner of the job', async () => {
    await enqueueNight('one');
    const seen: unknown[] = [];
    await createProcess(async (job) => (seen.push(job), done(job, new AbortController().signal))).runDue();
    expect(seen).toEqual([{ organizationId: platformId, jobId: expect.any(String), eventId: null, payload: night, attempts: 1 }]);
    expect(await events.jobs()).toMatchObject([{ status: 'done', attempts: 1, outcome: { ok: true, reason: 'done' } }]);
  });

  it('a job with a poison payload is dead after its last attempt while others go on, and a retry with a sound payload does it', async () => {
    // As SQL of another release might enqueue it.
    await events.money.sql("SELECT outbox_enqueue(platform_organization(), 'prune-events', 'poison', '{\"night\": 5}')");
    await enqueueNight('sound');
    for (const time of ['0', '10 minutes', '20 minutes', '30 minutes']) {
      await events.money.shiftClock(time);
      await createProcess(done).runDue();
    }
    await events.money.shiftClock('0');
    const [poison, sound] = await listJobs(events.money.owner, { queue: 'prune-events' });
    expect(poison).toMatchObject({ status: 'dead', attempts: 3, attemptsMax: 3, outcome: { ok: false, reason: "the payload does not fit the queue's schema" } });
    expect(sound).toMatchObject({ status: 'done', attempts: 1 });
    expect(await readQueueStates(events.money.app, perOrganizationMax)).toContainEqual(expect.objectContaining({ queue: 'prune-events', waiting: 0, dead: 1 }));

    await events.money.sql('UPDATE outbox_job SET payload = $2 WHERE id = $1', [poison!.id, JSON.stringify(night)]);
    expect(await retryJobs(events.money.owner, { id: poison!.id })).toBe(1);
    await createProcess(done).runDue();
    expect(await events.jobs()).toMatchObject([{ status: 'done', attempts: 1 }, { status: 'done', attempts: 1 }]);
  });

  it('a run that takes too long has failed, and its signal aborts', async () => {
    await enqueueNight('long');
    let aborted = false;
    await createProcess((_job, signal) => new Promise<JobOutcome>(() => signal.addEventListener('abort', () => (aborted = true))), 50).runDue();
    expect([aborted, await events.jobs()]).toEqual([true, [expect.objectContaining({ status: 'waiting', attempts: 1, outcome: { ok: false, reason: 'took longer than 0.05 s' } })]]);
  });
});

describe('retryJobs', () => {
  it('retryJobs gives all dead jobs of a queue their attempts again, and leaves running and done ones alone', async () => {
    for (const key of ['dead', 'runs', 'done']) await enqueueNight(key);
    await events.money.sql("UPDATE outbox_job SET status = 'dead', finished_at = kt_now() WHERE key = 'dead'");
    await events.money.sql("UPDATE outbox_job SET status = 'done', finished_at = kt_now() WHERE key = 'done'");
    await events.money.sql("UPDATE outbox_job SET attempts = 1, claim_id = gen_random_uuid(), claimed_until = kt_now() + interval '1 minute' WHERE key = 'runs'");
    const jobs = await listJobs(events.money.owner, { queue: 'prune-events' });
    expect(jobs.map(({ key, status }) => [key, status])).toEqual([['dead', 'dead'], ['runs', 'running'], ['done', 'done']]);
    await expect(retryJobs(events.money.owner, { id: jobs[1]!.id })).rejects.toMatchObject({ code: 'job_not_found' });
    expect(await retryJobs(events.money.owner, { queue: 'send-mail' })).toBe(0);
    expect(await retryJobs(events.money.owner, { queue: 'prune-events' })).toBe(1);
    expect((await events.jobs()).map(({ status }) => status)).toEqual(['waiting', 'waiting', 'done']);
  });
});

describe('stuck queues', () => {
  const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
  const check = (isWorking = true) => {
    const { table } = createProcess(done);
    return new QueueWatchService({ perOrganizationMax, dueMsMaxDefault: 600_000 }, table, events.money.app, { isWorking: () => isWorking }, clock).check();
  };

  it('a queue is stuck when nobody hands its due jobs over, and when nobody begins those that were handed over', async () => {
    await enqueueNight('one');
    await expect(check()).resolves.toBeUndefined();
    await events.money.shiftClock('11 minutes');
    await expect(check()).rejects.toMatchObject({ code: 'queue_stuck', publicMessage: expect.stringMatching(/^prune-events: 1 jobs wait and 0 run, the oldest waits since 11 min/) });
    // Handed over again and again, as to a store that loses its jobs or that no worker reads.
    const process = createProcess(done);
    for (const time of ['12 minutes', '17 minutes', '23 minutes']) {
      await events.money.shiftClock(time);
      await process.handOver();
    }
    await expect(check()).rejects.toMatchObject({ code: 'queue_stuck', publicMessage: expect.stringContaining('the oldest waits since 11 min') });
    await process.runHandedOver();
    await expect(check()).resolves.toBeUndefined();
    await events.money.shiftClock('0');
  });

  it('a queue is stuck when this process has no worker for it, no dispatcher works, or only another release knows it', async () => {
    await expect(check(false)).rejects.toMatchObject({ publicMessage: expect.stringContaining('deliver-webhook: this process has no worker for it') });
    const organizationId = await events.newTenant();
    await events.put(organizationId, 'key.created', 'one');
    await events.money.sql("INSERT INTO outbox_job (organization_id, id, queue, key, payload) VALUES (platform_organization(), uuidv7(), 'later-queue', 'one', '{}')");
    await events.money.shiftClock('11 minutes');
    await expect(check()).rejects.toMatchObject({ publicMessage: expect.stringMatching(/later-queue: .*this release does not know it/) });
    await expect(check()).rejects.toMatchObject({ publicMessage: expect.stringContaining('outbox: 1 events are not dispatched, the oldest waits since 11 min') });
    await events.money.shiftClock('0');
  });

  it('a queue is not stuck by running jobs, by jobs that wait for another attempt, or by an organization at its bound', async () => {
    const organizationId = await events.newTenant();
    await inTransaction(events.money.app, async (db) => {
      for (let count = 0; count < 30; count += 1) await enqueue(db, 'deliver-webhook', String(count), { endpoint_id: organizationId }, organizationId);
    });
    await enqueueNight('runs');
    await enqueueNight('failed');
    await events.money.sql("UPDATE outbox_job SET attempts = 1, next_at = kt_now() + interval '3 hours' WHERE key = 'failed'");
    await events.money.shiftClock('2 hours');
    await events.money.sql(
      `UPDATE outbox_job SET attempts = 1, handed_at = kt_now(), claim_id = gen_random_uuid(), claimed_until = kt_now() + interval '1 minute', next_at = kt_now() + interval '1 minute'
       WHERE key = 'runs' OR id IN (SELECT id FROM outbox_job WHERE queue = 'deliver-webhook' ORDER BY id LIMIT $1)`,
      [perOrganizationMax],
    );
    await expect(check()).resolves.toBeUndefined();
    const states = await readQueueStates(events.money.app, perOrganizationMax);
    expect(states.find(({ queue }) => queue === 'deliver-webhook')).toMatchObject({ waiting: 30, running: perOrganizationMax, stuckSeconds: 0, dueSeconds: expect.closeTo(7_200, -2) });
    await events.money.shiftClock('0');
  });
});
