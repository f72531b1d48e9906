import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { eventCatalogue } from '@kilotoken/contracts';
import { enqueue } from '@kilotoken/events';
import { inTransaction } from '@kilotoken/platform';
import { createBackoffice, startReceiver, type Backoffice, type Receiver } from '../support/backoffice.js';
import { EventsDatabase } from '../support/events-database.js';
import { queueStores } from '../support/queue-stores.js';
import { until } from '../support/until.js';

/** Jobs whose process dies, freezes or stops, and jobs that never succeed, on each store of queues. */
const TEST_MS_MAX = 90_000;
const keyEvent = eventCatalogue['key.created'].example;

let events: EventsDatabase;
let receiver: Receiver;
let organizationId: string;
const processes: Backoffice[] = [];

beforeAll(async () => {
  events = await EventsDatabase.create();
});
beforeEach(async () => {
  receiver = await startReceiver();
  organizationId = await events.newTenant();
  await events.addEndpoint(organizationId, `${receiver.url}/hook`);
});
afterEach(async () => {
  await Promise.all(processes.splice(0).map((process) => process.kill()));
  receiver.close();
  await events.money.shiftClock('0');
});
afterAll(() => events.drop());

const begin = async (env: Record<string, string>): Promise<Backoffice> => {
  const backoffice = await createBackoffice(events.money.database.appUrl, { JOB_SILENCE_MS: '2000', ...env });
  processes.push(backoffice);
  await backoffice.start();
  return backoffice;
};

const statuses = async (): Promise<string[]> => (await events.jobs(organizationId)).map(({ status }) => status);

describe.each(queueStores)('with queues in $name, a job', ({ needs, start, stop }) => {
  let env: Record<string, string>;
  beforeAll(async () => {
    env = await start();
  });
  afterAll(stop);

  needs('whose worker is killed is done by another, under the same id', async () => {
    const doomed = await begin(env);
    receiver.answer = () => undefined;
    await events.put(organizationId, 'key.created', 'killed', keyEvent);
    await until('it is being sent', () => receiver.received.length === 1);
    await doomed.kill('SIGKILL');
    receiver.answer = (response) => void response.writeHead(204).end();
    await begin(env);
    // The dead one's claim ends by the database's clock.
    await events.money.shiftClock('1 minute');
    await until('it is done', async () => (await statuses())[0] === 'done', 30_000);
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(await events.jobs(organizationId)).toMatchObject([{ attempts: 2 }]);
  }, TEST_MS_MAX);

  needs('whose worker freezes and wakes up late is done once, and what the late one reports changes nothing', async () => {
    const frozen = await begin(env);
    let answerFirst = (): void => undefined;
    receiver.answer = (response) => void (answerFirst = () => response.writeHead(500).end());
    await events.put(organizationId, 'key.created', 'frozen', keyEvent);
    await until('it is being sent', () => receiver.received.length === 1);
    frozen.signal('SIGSTOP');
    answerFirst();
    receiver.answer = (response) => void response.writeHead(204).end();
    await begin(env);
    await events.money.shiftClock('1 minute');
    await until('it is done', async () => (await statuses())[0] === 'done', 30_000);
    const [before] = await events.jobs(organizationId);
    frozen.signal('SIGCONT');
    await until('the late one has reported', () => frozen.events('job.ended').some(({ status }) => status === 'lost'), 30_000);
    expect(await events.jobs(organizationId)).toEqual([before]);
  }, TEST_MS_MAX);

  needs('that can never be done is given up and kept while others go on; two processes do none twice', async () => {
    await Promise.all([begin(env), begin(env)]);
    // An event that is not what its kind says throws in every run.
    await events.put(organizationId, 'key.created', 'poison', { name: 5 });
    for (let count = 0; count < 40; count += 1) await events.put(organizationId, 'key.created', `sound-${count}`, keyEvent);
    await until('all others are done', async () => (await statuses()).filter((status) => status === 'done').length === 40, 30_000);
    expect(receiver.received).toHaveLength(40);
    for (let attempt = 1; attempt < 10; attempt += 1) await until(`it threw ${attempt} times`, () => events.hurry(organizationId, attempt));
    await until('it is given up', async () => (await statuses()).includes('dead'));
    const dead = (await events.jobs(organizationId)).filter(({ status }) => status === 'dead');
    expect(dead).toMatchObject([{ attempts: 10, outcome: { ok: false, reason: 'threw ZodError' } }]);
    expect(receiver.received).toHaveLength(40);
  }, TEST_MS_MAX);

  needs('that runs when its process is asked to stop is finished, and none is begun', async () => {
    const stopping = await begin({ ...env, JOB_CONCURRENCY: '1' });
    let finish = (): void => undefined;
    receiver.answer = (response) => void (finish = () => response.writeHead(204).end());
    await events.put(organizationId, 'key.created', 'runs', keyEvent);
    await events.put(organizationId, 'key.created', 'waits', keyEvent);
    await until('the first is being sent', () => receiver.received.length === 1);
    stopping.signal('SIGTERM');
    await until('it drains', async () => (await (await fetch(`${stopping.url}/readyz`)).text()).includes('draining'));
    finish();
    expect(await stopping.untilExit()).toEqual({ code: 0, signal: null });
    expect([receiver.received.length, await statuses()]).toEqual([1, ['done', 'waiting']]);
  }, TEST_MS_MAX);

  needs('of our own is done by another process when its worker is killed between its claim and its end', async () => {
    const doomed = await begin(env);
    // The night's pruning waits for the row, so its run lasts until the test lets it go.
    await events.put(organizationId, 'key.created', 'old', keyEvent);
    await until('it is dispatched and delivered', async () => (await statuses())[0] === 'done');
    await events.money.sql('DELETE FROM outbox_job');
    await events.money.sql("UPDATE outbox_event SET created_at = kt_now() - interval '40 days' WHERE organization_id = $1", [organizationId]);
    const blocking = await events.money.owner.connect();
    await blocking.query('BEGIN; SELECT FROM outbox_event FOR UPDATE');
    expect(await inTransaction(events.money.app, (db) => enqueue(db, 'prune-events', `night-${env['REDIS_URL']}`, { night: '2026-12-01' }))).toBe(true);
    await until('it runs', async () => (await events.jobs())[0]?.attempts === 1);
    await doomed.kill('SIGKILL');
    await blocking.query('ROLLBACK');
    blocking.release();
    const successor = await begin(env);
    expect(await events.jobs()).toMatchObject([{ status: 'waiting', attempts: 1 }]);
    // The dead one's claim ends by the database's clock.
    await events.money.shiftClock('2 minutes');
    await until('it is done', async () => (await events.jobs())[0]?.status === 'done', 30_000);
    expect(await events.jobs()).toMatchObject([{ attempts: 2, outcome: { ok: true } }]);
    expect(await events.events(organizationId)).toEqual([]);
    await until('it is ready', () => successor.isReady());
  }, TEST_MS_MAX);
});

describe('a queue whose jobs nobody begins', () => {
  it('makes /readyz fail with its name and advice until they begin', async () => {
    // One place, held by a receiver that never answers: of two organizations, so that neither waits for itself.
    const backoffice = await begin({ JOB_CONCURRENCY: '1', JOB_STUCK_MS: '1000' });
    const finish: (() => void)[] = [];
    receiver.answer = (response) => void finish.push(() => response.writeHead(204).end());
    const other = await events.newTenant();
    await events.addEndpoint(other, `${receiver.url}/hook`);
    for (const owner of [organizationId, other]) await events.put(owner, 'key.created', 'waits', keyEvent);
    const report = async () => (await (await fetch(`${backoffice.url}/readyz`)).json()) as { checks: { jobs: { ok: boolean; message?: string } } };
    await until('it says so', async () => !(await report()).checks.jobs.ok);
    expect((await report()).checks.jobs.message).toMatch(/^deliver-webhook: 1 jobs wait and 1 run, the oldest waits since .* JOB_CONCURRENCY .* docs\/operations\/queues\.md\.$/);
    const metrics = await (await fetch(`${backoffice.url}/metrics`, { headers: { authorization: `Bearer ${backoffice.token}` } })).text();
    expect(metrics).toMatch(/^kilotoken_jobs_running\{[^}]*queue="deliver-webhook"[^}]*\} 1$/m);
    expect(Number(/^kilotoken_jobs_due_seconds\{[^}]*queue="deliver-webhook"[^}]*\} (\S+)$/m.exec(metrics)?.[1])).toBeGreaterThan(1);
    receiver.answer = (response) => void response.writeHead(204).end();
    finish.forEach((end) => end());
    await until('it is well again', () => backoffice.isReady());
  }, TEST_MS_MAX);
});
