import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect } from '@jest/globals';
import { type EventEnvelope, eventEnvelopeSchema } from '@kilotoken/contracts';
import { createWebhookEndpoint, listDeliveries, replayDeliveries, rotateWebhookSecret, setNotices, WebhookGuard } from '@kilotoken/events';
import { createKeyring } from '@kilotoken/platform';
import { Webhook } from 'standardwebhooks';
import { createBackoffice, startReceiver, testSecretKey, type Backoffice, type ReceivedWebhook, type Receiver } from '../support/backoffice.js';
import { EventsDatabase } from '../support/events-database.js';
import { queueStores } from '../support/queue-stores.js';
import { until } from '../support/until.js';

const keyring = createKeyring([testSecretKey]);

/** A real backoffice carries events from their cause in the database to a customer's receiver and mailbox. */
let events: EventsDatabase;
let backoffice: Backoffice;
let receiver: Receiver;
let organizationId: string;

const guard = new WebhookGuard({ allowPrivate: true });
const TEST_MS_MAX = 60_000;

beforeAll(async () => {
  events = await EventsDatabase.create();
});
afterAll(() => events.drop());
beforeEach(async () => {
  receiver = await startReceiver();
  organizationId = await events.newTenant('10');
});
afterEach(() => receiver.close());

const addEndpoint = (kinds: string[] | null = null) => createWebhookEndpoint(events.money.owner, keyring, guard, { organizationId, url: `${receiver.url}/hook`, kinds });

const envelopeOf = ({ body }: ReceivedWebhook): EventEnvelope => eventEnvelopeSchema.parse(JSON.parse(body));

const statusesOf = async (): Promise<string[]> => (await listDeliveries(events.money.owner, { organizationId })).map(({ status }) => status);

const metrics = async (): Promise<string> =>
  (await fetch(`${backoffice.url}/metrics`, { headers: { authorization: `Bearer ${backoffice.token}` } })).text();

describe.each(queueStores)('with queues in $name, webhooks', ({ needs, start, stop }) => {
  beforeAll(async () => {
    backoffice = await createBackoffice(events.money.database.appUrl, await start());
    await backoffice.start();
  }, TEST_MS_MAX);
  afterAll(async () => {
    await backoffice.kill();
    await stop();
  });

  needs('report each grant, numbered without gaps and signed by the endpoint\'s secret', async () => {
    const { secret } = await addEndpoint();
    for (const amount of ['1', '2', '3']) await events.money.issue(amount);
    await until('all have arrived', () => receiver.received.length === 3);
    const envelopes = receiver.received.map((webhook) => {
      expect(new Webhook(secret).verify(webhook.body, webhook.headers as Record<string, string>)).toEqual(JSON.parse(webhook.body));
      expect(webhook.headers['webhook-id']).toBe(envelopeOf(webhook).id);
      return envelopeOf(webhook);
    });
    envelopes.sort((a, b) => a.sequence - b.sequence);
    expect(envelopes.map(({ type, data, organization_id }) => [type, data['amount'], organization_id])).toEqual(
      ['1', '2', '3'].map((amount) => ['grant.issued', amount, organizationId]),
    );
    expect(envelopes.map(({ sequence }) => sequence - envelopes[0]!.sequence)).toEqual([0, 1, 2]);
  }, TEST_MS_MAX);

  needs('that fail are tried again with the same id and the same bytes, by a schedule', async () => {
    await addEndpoint();
    receiver.answer = (response) => void response.writeHead(receiver.received.length === 1 ? 500 : 204).end('no');
    await events.money.issue('1');
    await until('the first attempt failed', async () => (await listDeliveries(events.money.owner, { organizationId }))[0]?.outcome?.['status'] === 500);
    const [delivery] = await listDeliveries(events.money.owner, { organizationId });
    expect(delivery).toMatchObject({ status: 'waiting', attempts: 1, attemptsMax: 10, outcome: { excerpt: 'no', reason: 'answered 500' } });
    // Five seconds, spread by a fifth.
    const waitMs = delivery!.nextAt!.getTime() - Date.now();
    expect(waitMs).toBeLessThan(6_100);
    await until('the second arrived', () => receiver.received.length === 2, 15_000);
    await until('it is done', async () => (await statusesOf())[0] === 'done');
    const [first, second] = receiver.received;
    expect([second!.body, second!.headers['webhook-id']]).toEqual([first!.body, first!.headers['webhook-id']]);
  }, TEST_MS_MAX);

  needs('that failed ten times are dead letters, and arrive when they are replayed', async () => {
    await addEndpoint();
    receiver.answer = (response) => void response.writeHead(503).end();
    await events.money.issue('1');
    for (let attempt = 1; attempt < 10; attempt += 1) await until(`attempt ${attempt} failed`, () => events.hurry(organizationId, attempt));
    await until('it is given up', async () => (await statusesOf())[0] === 'dead');
    expect(await metrics()).toMatch(/kilotoken_jobs\{[^}]*status="dead"[^}]*\} 1/);

    receiver.answer = (response) => void response.writeHead(200).end();
    expect(await replayDeliveries(events.money.owner, { organizationId })).toBe(1);
    await until('it is done', async () => (await statusesOf())[0] === 'done');
    expect(receiver.received).toHaveLength(11);
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  }, TEST_MS_MAX);

  needs('are signed by the old secret too while its owner changes over', async () => {
    const endpoint = await addEndpoint();
    const { secret } = await rotateWebhookSecret(events.money.owner, keyring, { organizationId, id: endpoint.id, overlapMs: 3_600_000 });
    await events.money.issue('1');
    await until('it arrived', () => receiver.received.length === 1);
    const [{ body, headers }] = receiver.received as [ReceivedWebhook];
    for (const valid of [secret, endpoint.secret]) new Webhook(valid).verify(body, headers as Record<string, string>);
    const third = await rotateWebhookSecret(events.money.owner, keyring, { organizationId, id: endpoint.id, overlapMs: 0 });
    await events.money.issue('1');
    await until('it arrived', () => receiver.received.length === 2);
    new Webhook(third.secret).verify(receiver.received[1]!.body, receiver.received[1]!.headers as Record<string, string>);
    expect(() => new Webhook(secret).verify(receiver.received[1]!.body, receiver.received[1]!.headers as Record<string, string>)).toThrow();
  }, TEST_MS_MAX);

  needs('to an endpoint that answers 410 end at once, and another endpoint of its organization is told', async () => {
    const other = await startReceiver();
    await addEndpoint(['grant.issued']);
    await createWebhookEndpoint(events.money.owner, keyring, guard, { organizationId, url: `${other.url}/hook`, kinds: ['webhook.disabled'] });
    receiver.answer = (response) => void response.writeHead(410).end();
    await events.money.issue('1');
    await until('the other is told', () => other.received.length === 1);
    expect(envelopeOf(other.received[0]!)).toMatchObject({ type: 'webhook.disabled', data: { url: `${receiver.url}/hook`, reason: 'failing' } });
    await events.money.issue('1');
    await until('the event was dispatched', async () => (await events.events(organizationId)).every(({ sequence }) => sequence !== null));
    expect(receiver.received).toHaveLength(1);
    other.close();
  }, TEST_MS_MAX);

  needs('come with mails: a low balance is mailed to the notice address, into a file where there is no mail server', async () => {
    await setNotices(events.money.owner, { organizationId, email: 'billing@example.com', balanceLow: { unit: 'USD', threshold: '50' } });
    const folder = join(backoffice.home, 'mail');
    const mails = (): string[] => {
      try {
        return readdirSync(folder).filter((name) => name.endsWith('.eml'));
      } catch {
        // No mail was written yet.
        return [];
      }
    };
    await until('it was written', () => mails().length === 1);
    const mail = readFileSync(join(folder, mails()[0]!), 'utf8');
    expect(mail).toMatch(/^To: billing@example\.com$/m);
    expect(mail).toMatch(/^Subject: .*10 USD/m);
    expect(mail).toMatch(/^Auto-Submitted: auto-generated$/m);
    expect(backoffice.events('mail.to_files')).toHaveLength(1);
  }, TEST_MS_MAX);

  needs('are sent by a process that answers ready with a database and a queue', async () => {
    expect(await (await fetch(`${backoffice.url}/readyz`)).json()).toMatchObject({ status: 'ready', checks: { database: { ok: true }, queue: { ok: true } } });
  });
});
