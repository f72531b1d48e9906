import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ensureAuditLogin } from '@kilotoken/platform';
import { createBackoffice, type Backoffice } from '../support/backoffice.js';
import { EventsDatabase } from '../support/events-database.js';
import { until } from '../support/until.js';

/** Nightly work by a real backoffice, while the database's clock goes from night to night. */
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

const night = (name: string, days: number): Promise<{ ok: boolean; outcome: Record<string, unknown> }> =>
  until(`${name} has run in night ${days}`, async () => {
    const [run] = await events.money.sql<{ finished: boolean; outcome: Record<string, unknown> }>(
      "SELECT finished_at IS NOT NULL AS finished, outcome FROM nightly_run WHERE name = $1 AND night = ((now() AT TIME ZONE 'UTC')::date + $2::int)",
      [name, days],
    );
    return run?.finished ? { ok: true, outcome: run.outcome } : null;
  }, 30_000);

/** Four in the morning of the day after so many. */
const goTo = (days: number): Promise<unknown> =>
  events.money.sql("UPDATE database_mark SET clock_shift = ((((now() AT TIME ZONE 'UTC')::date + $1::int) + time '04:00') AT TIME ZONE 'UTC') - now()", [days]);

describe('at night', () => {
  it('the books are proven by a login that sees all and changes nothing, and what is wrong with them is told', async () => {
    await events.newTenant('10');
    await until('the names are registered', async () => (await events.money.sql('SELECT FROM nightly_run')).length >= 2);
    await goTo(1);
    expect(await night('reconcile', 1)).toMatchObject({ outcome: { holds: true, found: {} } });

    // A posting that has no counterpart.
    await events.money.sql(
      "INSERT INTO ledger_posting (organization_id, transaction_id, line, account, unit, amount) SELECT organization_id, id, 99, 'cash_clearing', 'USD', 1 FROM ledger_transaction LIMIT 1",
    );
    await goTo(2);
    expect(await night('reconcile', 2)).toMatchObject({ outcome: { holds: false } });
    await until('the log says so', () => backoffice.events('reconcile.found').length > 0);
    const metrics = await (await fetch(`${backoffice.url}/metrics`, { headers: { authorization: `Bearer ${backoffice.token}` } })).text();
    expect(metrics).toMatch(/^kilotoken_reconcile_findings\{[^}]*\} [1-9]/m);
  }, TEST_MS_MAX);

  it('events that ended long ago are forgotten', async () => {
    const organizationId = await events.newTenant();
    await events.put(organizationId, 'grant.low', 'USD:1', { unit: 'USD', balance: '1', threshold: '2' });
    await until('it was dispatched', async () => (await events.events(organizationId))[0]?.sequence != null);
    await goTo(40);
    await night('prune-events', 40);
    expect(await events.events(organizationId)).toEqual([]);
  }, TEST_MS_MAX);
});
