import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect } from '@jest/globals';
import { eventCatalogue } from '@kilotoken/contracts';
import { createBackoffice, startReceiver, type Backoffice, type Receiver } from '../support/backoffice.js';
import { EventsDatabase } from '../support/events-database.js';
import { testRunFolder } from '../support/postgres.js';
import { buildPreviousRelease, hasPreviousRelease, type BuiltRelease } from '../support/previous-release.js';
import { itNeeds } from '../support/requirements.js';
import { until } from '../support/until.js';

/** The backoffice of the previous release works beside this one's on one migrated database, and shares its jobs and nights. */
const TEST_MS_MAX = 120_000;
const keyEvent = eventCatalogue['key.created'].example;

let events: EventsDatabase;
let receiver: Receiver;
let organizationId: string;
let previous: BuiltRelease;
const processes: Backoffice[] = [];
const folder = join(testRunFolder(), `previous-${randomBytes(4).toString('hex')}`);

beforeAll(async () => {
  if (!hasPreviousRelease()) return;
  previous = buildPreviousRelease(folder, ['backoffice']);
  events = await EventsDatabase.create();
  receiver = await startReceiver();
  organizationId = await events.newTenant();
  await events.addEndpoint(organizationId, `${receiver.url}/hook`);
}, TEST_MS_MAX);
afterEach(async () => {
  await Promise.all(processes.splice(0).map((process) => process.kill()));
});
afterAll(async () => {
  receiver?.close();
  await events?.drop();
  rmSync(folder, { recursive: true, force: true });
});

const begin = async (release: BuiltRelease | null): Promise<Backoffice> => {
  const backoffice = await createBackoffice(events.money.database.appUrl, { JOB_SILENCE_MS: '2000' }, release ?? {});
  processes.push(backoffice);
  await backoffice.start();
  return backoffice;
};

const put = async (name: string, count: number): Promise<void> => {
  for (let index = 0; index < count; index += 1) await events.put(organizationId, 'key.created', `${name}-${index}`, keyEvent);
};

const endedBy = (backoffice: Backoffice): number => backoffice.events('job.ended').filter(({ queue }) => queue === 'deliver-webhook').length;

describe('a rolling upgrade', () => {
  itNeeds('previous-release')('delivers every event once, does each night once, and leaves a job of an unknown queue alone', async () => {
    const old = await begin(previous);
    await put('before', 5);
    await until('the previous release delivered them', () => receiver.received.length === 5);
    await until('it knows its nights', async () => (await events.money.sql("SELECT FROM nightly_run WHERE name = 'prune-events'")).length === 1);
    await events.money.sql("SELECT outbox_enqueue(platform_organization(), 'draw-invoice', 'one', '{}')");
    await put('alone', 5);
    await until('it delivered those too', () => receiver.received.length === 10);

    const current = await begin(null);
    await put('both', 60);
    await until('all have arrived', () => receiver.received.length === 70);
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(70);

    await events.money.sql("UPDATE database_mark SET clock_shift = interval '1 day'");
    const pruned = () => [...old.events('job.ended'), ...current.events('job.ended')].filter(({ queue }) => queue === 'prune-events');
    await until('the night is pruned', () => pruned().length > 0);
    await old.kill('SIGTERM');
    await put('after', 5);
    await until('this release goes on', () => receiver.received.length === 75 && endedBy(current) >= 5);
    expect(pruned()).toHaveLength(1);
    expect(await events.jobs()).toMatchObject([{ queue: 'draw-invoice', status: 'waiting', attempts: 0 }, { queue: 'prune-events', status: 'done', attempts: 1 }]);
    await events.money.shiftClock('0');
  }, TEST_MS_MAX);
});
