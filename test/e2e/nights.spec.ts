import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ensureAuditLogin } from '@kilotoken/platform';
import { createBackoffice, type Backoffice } from '../support/backoffice.js';
import { EventsDatabase } from '../support/events-database.js';
import { until } from '../support/until.js';

/** A real backoffice does its nightly work while the database's clock moves from night to night. */
let events: EventsDatabase;
let backoffice: Backoffice;

const TEST_MS_MAX = 90_000;

beforeAll(async () => {
  events = await EventsDatabase.create();
  const { ownerUrl, appUrl } = events.money.database;
  const auditUrl = await ensureAuditLogin(ownerUrl, 'kilotoken_test_audit', randomBytes(16).toString('hex'));
  backoffice = await createBackoffice(appUrl, { AUDIT_DATABASE_URL: auditUrl });
  await backoffice.start();
}, TEST_MS_MAX);
afterAll(async () => {
  await backoffice.kill();
  await events.drop();
});

/** The outcome of a queue's job of the night after so many days. */
const night = (queue: string, days: number): Promise<Record<string, unknown>> =>
  until(`${queue} has run in night ${days}`, async () => {
    const [job] = await events.money.sql<{ outcome: Record<string, unknown> }>(
      "SELECT outcome FROM outbox_job WHERE queue = $1 AND key = ((now() AT TIME ZONE 'UTC')::date + $2::int)::text AND status = 'done'",
      [queue, days],
    );
    return job?.outcome;
  }, 30_000);

/** Four in the morning of the day after so many. */
const goTo = (days: number): Promise<unknown> =>
  events.money.sql("UPDATE database_mark SET clock_shift = ((((now() AT TIME ZONE 'UTC')::date + $1::int) + time '04:00') AT TIME ZONE 'UTC') - now()", [days]);

describe('nightly work', () => {
  it('the books are proven by a login that reads all and changes nothing, and the log names each finding', async () => {
    await events.newTenant('10');
    await until('the names are registered', async () => (await events.money.sql('SELECT FROM nightly_run')).length >= 2);
    await goTo(1);
    expect(await night('prove-books', 1)).toMatchObject({ ok: true, holds: true, found: {} });

    // A posting that has no counterpart.
    await events.money.sql(
      "INSERT INTO ledger_posting (organization_id, transaction_id, line, account, unit, amount) SELECT organization_id, id, 99, 'cash_clearing', 'USD', 1 FROM ledger_transaction LIMIT 1",
    );
    await goTo(2);
    expect(await night('prove-books', 2)).toMatchObject({ ok: true, holds: false });
    await until('the log says so', () => backoffice.events('reconcile.found').length > 0);
    const metrics = await (await fetch(`${backoffice.url}/metrics`, { headers: { authorization: `Bearer ${backoffice.token}` } })).text();
    expect(metrics).toMatch(/^kilotoken_nightly_runs_total\{[^}]*name="reconcile"[^}]*ok="true"[^}]*\} [1-9]/m);
    expect(metrics).toMatch(/^kilotoken_reconcile_findings\{[^}]*\} [1-9]/m);
  }, TEST_MS_MAX);

  it('events whose jobs ended long ago are forgotten', async () => {
    const organizationId = await events.newTenant();
    await events.put(organizationId, 'grant.low', 'USD:1', { unit: 'USD', balance: '1', threshold: '2' });
    await until('it was dispatched', async () => (await events.events(organizationId))[0]?.sequence != null);
    await goTo(40);
    await night('prune-events', 40);
    expect(await events.events(organizationId)).toEqual([]);
  }, TEST_MS_MAX);
});
