import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { eventCatalogue } from '@kilotoken/contracts';
import { createBackoffice, startReceiver, type Backoffice, type Receiver } from '../support/backoffice.js';
import { EventsDatabase } from '../support/events-database.js';
import { until } from '../support/until.js';

/** A misbehaving receiver delays itself alone, and a real process sends nothing to an address inside. */
const TEST_MS_MAX = 90_000;
const keyEvent = eventCatalogue['key.created'].example;

let events: EventsDatabase;
const receivers: Receiver[] = [];
const processes: Backoffice[] = [];

beforeAll(async () => {
  events = await EventsDatabase.create();
});
// A process that was left to another test would do its jobs, by settings of its own.
afterEach(async () => {
  await Promise.all(processes.splice(0).map((process) => process.kill()));
  receivers.splice(0).forEach((receiver) => receiver.close());
});
afterAll(() => events.drop());

const begin = async (env: Record<string, string> = {}): Promise<Backoffice> => {
  const backoffice = await createBackoffice(events.money.database.appUrl, env);
  processes.push(backoffice);
  await backoffice.start();
  return backoffice;
};

const receive = async (): Promise<Receiver> => {
  const receiver = await startReceiver();
  receivers.push(receiver);
  return receiver;
};

describe('a receiver', () => {
  it('that answers slowly, without end or with garbage holds up no other organization, and no memory', async () => {
    const backoffice = await begin();
    const hostile = await receive();
    const floods: NodeJS.Timeout[] = [];
    hostile.answer = (response) => {
      const way = hostile.received.length % 4;
      if (way === 0) return;
      if (way === 1) return void response.socket!.end('garbage\r\n\r\n');
      if (way === 2) return void response.socket!.resetAndDestroy();
      response.writeHead(200);
      floods.push(setInterval(() => response.destroyed || response.write(Buffer.alloc(262_144)), 5));
    };
    const theirs = await events.newTenant();
    await events.addEndpoint(theirs, `${hostile.url}/hook`);
    const sound = await receive();
    const mine = await events.newTenant();
    await events.addEndpoint(mine, `${sound.url}/hook`);
    for (let count = 0; count < 40; count += 1) await events.put(theirs, 'key.created', `hostile-${count}`, keyEvent);
    for (let count = 0; count < 20; count += 1) await events.put(mine, 'key.created', `sound-${count}`, keyEvent);
    await until('the others have arrived', () => sound.received.length === 20, 30_000);
    await until('hostile ones were tried', async () => {
      const jobs = await events.jobs(theirs);
      return jobs.length === 40 && jobs.filter(({ attempts }) => attempts > 0).length >= 8;
    }, 30_000);
    floods.forEach(clearInterval);
    const metrics = await (await fetch(`${backoffice.url}/metrics`, { headers: { authorization: `Bearer ${backoffice.token}` } })).text();
    const residentBytes = Number(/^process_resident_memory_bytes\{[^}]*\} (\S+)$/m.exec(metrics)?.[1]);
    expect(residentBytes).toBeLessThan(400 * 1024 * 1024);
  }, TEST_MS_MAX);

  it('on this machine is not called by a process that may not, nor where a redirect or a name leads', async () => {
    await begin({ WEBHOOK_ALLOW_PRIVATE: '0' });
    const receiver = await receive();
    const { port } = new URL(receiver.url);
    const organizationId = await events.newTenant();
    // As if they had been registered while they were allowed, or had led elsewhere then.
    const urls = [`https://127.0.0.1:${port}/`, `https://localhost:${port}/`, `https://[::ffff:127.0.0.1]:${port}/`, `https://0.0.0.0:${port}/`, `http://127.0.0.1:${port}/`];
    for (const url of urls) await events.addEndpoint(organizationId, url);
    await events.put(organizationId, 'key.created', 'inside', keyEvent);
    await until('each was refused', async () => {
      const jobs = await events.jobs(organizationId);
      return jobs.length === urls.length && jobs.every(({ outcome }) => outcome?.['ok'] === false);
    });
    const reasons = (await events.jobs(organizationId)).map(({ outcome }) => String(outcome?.['reason']));
    expect(reasons.filter((reason) => /not public|must begin with https/.test(reason))).toHaveLength(urls.length);
    expect(receiver.received).toEqual([]);
  }, TEST_MS_MAX);
});

describe('an endpoint', () => {
  it('that failed for five days without a success is disabled, once, and its organization is told', async () => {
    await begin();
    const failing = await receive();
    failing.answer = (response) => void response.writeHead(500).end();
    const told = await receive();
    const organizationId = await events.newTenant();
    const endpointId = await events.addEndpoint(organizationId, `${failing.url}/hook`, ['key.created']);
    await events.addEndpoint(organizationId, `${told.url}/hook`, ['webhook.disabled']);
    await events.put(organizationId, 'key.created', 'first', keyEvent);
    await until('it failed', async () => (await events.jobs(organizationId))[0]?.outcome?.['status'] === 500);
    await events.money.sql("UPDATE webhook_endpoint SET failing_since = kt_now() - interval '5 days' WHERE id = $1", [endpointId]);
    for (const key of ['second', 'third']) await events.put(organizationId, 'key.created', key, keyEvent);
    await until('the organization was told', () => told.received.length > 0, 20_000);
    expect(JSON.parse(told.received[0]!.body)).toMatchObject({ type: 'webhook.disabled', data: { endpoint_id: endpointId, reason: 'failing' } });
    expect((await events.events(organizationId)).filter(({ kind }) => kind === 'webhook.disabled')).toHaveLength(1);
  }, TEST_MS_MAX);
});
