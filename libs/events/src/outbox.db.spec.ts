import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Log } from '@kilotoken/platform';
import { openLog } from '@kilotoken/platform/process';
import { EventsDatabase, HeldQueue, tableOf } from '../../../test/support/events-database.js';
import { replayDeliveries } from './delivery.flow.js';
import { JobRunnerService } from './job-runner.service.js';
import { OutboxService } from './outbox.service.js';
import { dispatchEvents, pruneOutbox, readQueueStates } from './outbox.store.js';
import { queuesOf, type JobOutcome, type JobProcessor, type QueueTable } from './queue-table.js';

const silenceMs = 30_000;

let events: EventsDatabase;
let log: Log;
beforeAll(async () => {
  events = await EventsDatabase.create();
  log = await openLog({ name: 'test', level: 'silent' });
});
afterAll(() => events.drop());

const dispatch = (limit = 100) => dispatchEvents(events.money.app, limit, ['grant.low']);

type Run = JobProcessor<'deliver-webhook'>['run'];

const tableThatRuns = (run: Run = done): QueueTable => tableOf({ 'deliver-webhook': { processor: { run } }, 'send-mail': { processor: { run: done } } });

const createOutbox = (queue: HeldQueue, perOrganizationMax = 100, table = tableThatRuns()): OutboxService =>
  new OutboxService({ pauseMs: 10, perOrganizationMax, silenceMs }, table, events.money.app, queue, log.logger);

const createRunner = (queue: HeldQueue, run: Run): JobRunnerService => new JobRunnerService(tableThatRuns(run), events.money.app, queue, log.logger);

/** Runs everything that is due once, by the test's own run. */
const runDue = async (queue: HeldQueue, run: Run): Promise<void> => {
  await createOutbox(queue).moveOnce();
  const runner = createRunner(queue, run);
  for (const job of queue.take()) await runner.runOnce('deliver-webhook', job);
};

const done = async (): Promise<JobOutcome> => ({ ok: true, reason: 'delivered' });
const failed = async (): Promise<JobOutcome> => ({ ok: false, reason: 'answered 500' });

describe('events', () => {
  it('a cause puts one event however often it is told, and none if its transaction rolls back', async () => {
    const organizationId = await events.newTenant();
    expect([await events.put(organizationId, 'grant.low', 'USD:1'), await events.put(organizationId, 'grant.low', 'USD:1')]).toEqual([true, false]);
    const client = await events.money.app.connect();
    await client.query('BEGIN');
    await client.query("SELECT outbox_put($1, 'grant.low', 'USD:2', '{}')", [organizationId]);
    await client.query('ROLLBACK');
    client.release();
    expect(await events.events(organizationId)).toEqual([{ kind: 'grant.low', key: 'USD:1', sequence: null, payload: {} }]);
  });

  it('a kind and key name an event within one organization', async () => {
    const [one, other] = [await events.newTenant(), await events.newTenant()];
    expect([await events.put(one, 'grant.low', 'USD:1'), await events.put(other, 'grant.low', 'USD:1')]).toEqual([true, true]);
  });

  it("an event gets its organization's next number, without gaps and in order, whoever dispatches and in however many batches", async () => {
    const organizations = [await events.newTenant(), await events.newTenant()];
    for (let count = 0; count < 30; count += 1) for (const organizationId of organizations) await events.put(organizationId, 'key.created', String(count).padStart(2, '0'));
    let waiting = 60;
    while (waiting > 0) waiting -= (await Promise.all([dispatch(7), dispatch(11), dispatch(3)])).reduce((sum, taken) => sum + taken, 0);
    expect(waiting).toBe(0);
    for (const organizationId of organizations) {
      const told = await events.events(organizationId);
      expect(told.map(({ sequence }) => Number(sequence))).toEqual(told.map((_event, index) => index + 1));
      expect(told.map(({ key }) => key)).toEqual([...told.map(({ key }) => key)].sort());
    }
  });

  it('an event becomes one job for each endpoint that wants its kind, and a mail where its kind is mailed', async () => {
    const organizationId = await events.newTenant();
    await events.addEndpoint(organizationId, 'https://a.example/');
    await events.addEndpoint(organizationId, 'https://b.example/', ['grant.low']);
    await events.addEndpoint(organizationId, 'https://c.example/', ['key.created']);
    const disabled = await events.addEndpoint(organizationId, 'https://d.example/');
    await events.money.sql("UPDATE webhook_endpoint SET disabled_at = kt_now(), disabled_reason = 'operator' WHERE id = $1", [disabled]);
    await events.money.sql("INSERT INTO notice_address VALUES ($1, 'billing@example.com')", [organizationId]);
    await events.put(organizationId, 'grant.low', 'USD:1');
    await events.put(organizationId, 'key.created', 'key');
    await Promise.all([dispatch(), dispatch()]);
    expect(await dispatch()).toBe(0);
    const jobs = (await events.jobs(organizationId)).map(({ queue }) => queue);
    expect(jobs.sort()).toEqual(['deliver-webhook', 'deliver-webhook', 'deliver-webhook', 'deliver-webhook', 'send-mail']);
  });
});

describe('jobs', () => {
  it('jobs are handed to the queue in the order of their events', async () => {
    const organizationId = await events.newTenant();
    await events.addEndpoint(organizationId, 'https://a.example/');
    for (let count = 0; count < 20; count += 1) await events.put(organizationId, 'key.created', String(count));
    const queue = new HeldQueue();
    await createOutbox(queue).moveOnce();
    const order = queue.take().map(({ payload }) => payload['jobId']);
    const rows = await events.money.sql<{ id: string }>(
      'SELECT j.id FROM outbox_job j JOIN outbox_event e ON e.organization_id = j.organization_id AND e.id = j.event_id WHERE j.organization_id = $1 ORDER BY e.sequence',
      [organizationId],
    );
    expect(order).toEqual(rows.map(({ id }) => id));
  });

  it('an organization with thousands of jobs holds up nobody: beyond its bound they wait in Postgres', async () => {
    const [loud, quiet] = [await events.newTenant(), await events.newTenant()];
    for (const organizationId of [loud, quiet]) await events.addEndpoint(organizationId, 'https://a.example/');
    for (let count = 0; count < 30; count += 1) await events.put(loud, 'key.created', String(count));
    await events.put(quiet, 'key.created', 'one');
    const queue = new HeldQueue();
    const outbox = createOutbox(queue, 8);
    const handedTo = async (): Promise<number[]> => {
      await outbox.moveOnce();
      const jobs = queue.take();
      return [loud, quiet].map((organizationId) => jobs.filter(({ payload }) => payload['organizationId'] === organizationId).length);
    };
    expect(await handedTo()).toEqual([8, 1]);
    expect(await handedTo()).toEqual([0, 0]);
    // As if two had ended.
    await events.money.sql(
      "UPDATE outbox_job SET status = 'done', finished_at = kt_now() WHERE id IN (SELECT id FROM outbox_job WHERE organization_id = $1 AND handed_at IS NOT NULL LIMIT 2)",
      [loud],
    );
    expect(await handedTo()).toEqual([2, 0]);
  });

  it('a job that comes twice has one effect', async () => {
    const organizationId = await events.newTenant();
    await events.addEndpoint(organizationId, 'https://a.example/');
    await events.put(organizationId, 'key.created', 'twice');
    const queue = new HeldQueue();
    await createOutbox(queue).moveOnce();
    const [job] = queue.take();
    let effects = 0;
    const runner = createRunner(queue, async () => ((effects += 1), done()));
    await Promise.all([runner.runOnce('deliver-webhook', job!), runner.runOnce('deliver-webhook', job!)]);
    await runner.runOnce('deliver-webhook', job!);
    expect([effects, (await events.jobs(organizationId))[0]]).toEqual([1, expect.objectContaining({ status: 'done', attempts: 1 })]);
  });

  it('a job that its queue lost is handed over again, after its silence and not before', async () => {
    const organizationId = await events.newTenant();
    await events.addEndpoint(organizationId, 'https://a.example/');
    await events.put(organizationId, 'key.created', 'lost');
    const queue = new HeldQueue();
    const outbox = createOutbox(queue);
    await outbox.moveOnce();
    expect(queue.take()).toHaveLength(1);
    await outbox.moveOnce();
    expect(queue.take()).toHaveLength(0);
    await events.money.shiftClock(`${silenceMs + 1_000} ms`);
    await runDue(queue, done);
    await events.money.shiftClock('0');
    expect(await events.jobs(organizationId)).toMatchObject([{ status: 'done', attempts: 1 }]);
  });

  it('a job of a lost run runs again when its claim is over, and a late report of the lost run changes nothing', async () => {
    const organizationId = await events.newTenant();
    await events.addEndpoint(organizationId, 'https://a.example/');
    await events.put(organizationId, 'key.created', 'frozen');
    const queue = new HeldQueue();
    let thaw = (_outcome: JobOutcome): void => undefined;
    const frozen = new Promise<JobOutcome>((resolve) => (thaw = resolve));
    await createOutbox(queue).moveOnce();
    const [job] = queue.take();
    const first = createRunner(queue, () => frozen).runOnce('deliver-webhook', job!);
    // The claim is written before the processor runs; the clock may move once it is.
    while ((await events.jobs(organizationId))[0]!.attempts === 0);
    await events.money.shiftClock('1 minute');
    await runDue(queue, done);
    await events.money.shiftClock('0');
    thaw({ ok: false, reason: 'too late', isFinal: true });
    await first;
    expect(await events.jobs(organizationId)).toMatchObject([{ status: 'done', attempts: 2, outcome: { reason: 'delivered' } }]);
  });

  it('a job that kills its process in every run is dead after its last attempt', async () => {
    const organizationId = await events.newTenant();
    await events.addEndpoint(organizationId, 'https://a.example/');
    await events.put(organizationId, 'key.created', 'poison');
    await dispatch();
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const [job] = await events.jobs(organizationId);
      await events.money.app.query('SELECT FROM outbox_job_claim($1, $2, $3, gen_random_uuid(), 1000)', [organizationId, job!.id, attempt]);
      await events.money.shiftClock(`${attempt + 1} minutes`);
      await createOutbox(new HeldQueue()).moveOnce();
    }
    await events.money.shiftClock('0');
    expect(await events.jobs(organizationId)).toMatchObject([{ status: 'dead', attempts: 3, outcome: { ok: false, reason: 'the run ended without a word' } }]);
  });

  it('a job that always throws is dead after its last attempt while others go on, and runs again when it is replayed', async () => {
    const organizationId = await events.newTenant();
    await events.addEndpoint(organizationId, 'https://a.example/');
    await events.put(organizationId, 'key.created', 'poison');
    await events.put(organizationId, 'key.created', 'sound');
    await dispatch();
    const [poison] = await events.jobs(organizationId);
    const run: Run = async (job) => {
      if (job.jobId === poison!.id) throw new TypeError('always');
      return done();
    };
    for (let minutes = 0; minutes < 30; minutes += 10) {
      await events.money.shiftClock(`${minutes} minutes`);
      await runDue(new HeldQueue(), run);
    }
    await events.money.shiftClock('0');
    expect(await events.jobs(organizationId)).toMatchObject([{ status: 'dead', attempts: 3, outcome: { reason: 'threw TypeError' } }, { status: 'done', attempts: 1 }]);
    expect(await readQueueStates(events.money.app, 8)).toContainEqual(expect.objectContaining({ queue: 'deliver-webhook', waiting: 0, dead: 1 }));

    expect(await replayDeliveries(events.money.owner, { organizationId })).toBe(1);
    await runDue(new HeldQueue(), done);
    expect(await events.jobs(organizationId)).toMatchObject([{ status: 'done', attempts: 1 }, { status: 'done', attempts: 1 }]);
  });

  it('a failed job waits by the back-off of its queue, and longer where its receiver asked for that', async () => {
    const organizationId = await events.newTenant();
    await events.addEndpoint(organizationId, 'https://a.example/');
    await events.put(organizationId, 'key.created', 'later');
    const queue = new HeldQueue();
    const isDueAfter = async (time: string): Promise<boolean> => {
      await events.money.shiftClock(time);
      await createOutbox(queue).moveOnce();
      return queue.held.size > 0;
    };
    await runDue(queue, failed);
    expect(await isDueAfter('3 seconds')).toBe(false);
    expect(await isDueAfter('7 seconds')).toBe(true);
    for (const job of queue.take()) await createRunner(queue, async () => ({ ...(await failed()), askedWaitMs: 3_600_000 })).runOnce('deliver-webhook', job);
    expect(await isDueAfter('59 minutes')).toBe(false);
    expect(await isDueAfter('61 minutes')).toBe(true);
    await events.money.shiftClock('0');
  });

  it("an organization replays no job of another", async () => {
    const [mine, theirs] = [await events.newTenant(), await events.newTenant()];
    await events.addEndpoint(theirs, 'https://a.example/');
    await events.put(theirs, 'key.created', 'theirs');
    await dispatch();
    const [job] = await events.jobs(theirs);
    await expect(replayDeliveries(events.money.owner, { organizationId: mine, id: job!.id })).rejects.toMatchObject({ code: 'delivery_not_found' });
  });
});

describe('pruneOutbox', () => {
  const prune = () => pruneOutbox(events.money.app, { queues: queuesOf(tableThatRuns()), eventDays: 30 }, 100);

  it('ended jobs and their events are forgotten after their days, and waiting ones are kept', async () => {
    const organizationId = await events.newTenant();
    await events.addEndpoint(organizationId, 'https://a.example/');
    await events.put(organizationId, 'key.created', 'done');
    await runDue(new HeldQueue(), done);
    await events.put(organizationId, 'key.created', 'waits');
    await dispatch();
    expect(await prune()).toBe(0);
    await events.money.shiftClock('31 days');
    expect(await prune()).toBe(2);
    await events.money.shiftClock('0');
    expect((await events.events(organizationId)).map(({ key }) => key)).toEqual(['waits']);
    expect(await events.jobs(organizationId)).toMatchObject([{ status: 'waiting' }]);
  });
});
