import { afterEach, describe, expect, test } from '@jest/globals';
import { createKeyring, createPool } from '@kilotoken/platform';
import { openAuditPool, runReconcile } from '@kilotoken/reconcile';
import type pg from 'pg';
import { pino } from 'pino';
import { expectInvariants } from '../../../test/support/invariants.js';
import { createTestDatabase, serviceUrl, type TestDatabase } from '../../../test/support/postgres.js';
import { StartInterrupted } from '../launcher/launcher-error.js';
import { loadHistory, type HistoryPlan, type HistoryResult } from './history.js';

/** A week: leases go back when it is over. */
const plan: HistoryPlan = { seed: 7, days: 7, organizations: 5, requests: 600, untilMs: Date.UTC(2026, 9, 30, 15, 30), workerUrl: 'http://127.0.0.1:8084', release: 'test' };

interface Loaded {
  readonly database: TestDatabase;
  readonly owner: pg.Pool;
}

const open: Loaded[] = [];

afterEach(async () => {
  for (const { owner, database } of open.splice(0)) {
    await owner.end();
    await database.drop();
  }
});

const makeDatabase = async (): Promise<Loaded> => {
  const database = await createTestDatabase();
  const made = { database, owner: createPool({ connectionString: database.ownerUrl, max: 1, applicationName: 'test' }) };
  open.push(made);
  return made;
};

/** Two days are enough to compare, and to stop after one. */
const short: HistoryPlan = { ...plan, days: 2, requests: 300 };

const load = ({ database }: Loaded, wanted: HistoryPlan, signal?: AbortSignal, onDay: (day: number) => void = () => undefined): Promise<HistoryResult> => {
  const login = (service: Parameters<typeof serviceUrl>[1]): string => serviceUrl(database.appUrl, service);
  const logins = { ownerUrl: database.ownerUrl, controlUrl: login('control'), gatewayUrl: login('gateway'), meteringUrl: login('metering'), backofficeUrl: login('backoffice') };
  return loadHistory({ plan: wanted, logins, keyring: createKeyring(['k'.repeat(32)]), logger: pino({ level: 'silent' }), onDay, ...(signal && { signal }) });
};

const clockShift = async ({ owner }: Loaded): Promise<string> => (await owner.query<{ shift: string }>('SELECT clock_shift::text AS shift FROM database_mark')).rows[0]!.shift;

/** A history as a person sees it: names, counts and amounts, without ids. */
const contents = async ({ owner }: Loaded): Promise<unknown[][]> => {
  const tables: unknown[][] = [];
  for (const sql of [
    'SELECT slug, name, time_zone FROM organization ORDER BY slug',
    'SELECT o.slug, p.name, k.name AS key FROM api_key k JOIN organization o ON o.id = k.organization_id JOIN project p ON p.organization_id = k.organization_id AND p.id = k.project_id ORDER BY 1, 2, 3',
    'SELECT o.slug, g.unit, g.source, g.reference, g.granted, g.settled, g.available, g.refunded, g.expired FROM credit_grant g JOIN organization o ON o.id = g.organization_id ORDER BY 1, 2, 3, 4',
    `SELECT u.id, o.slug, u.attempt, u.model, u.outcome, u.counts, u.charge, u.hold, u.cost, u.tags, u.admitted_at, u.finished_at, (SELECT array_agg(p ->> 'charge') FROM jsonb_array_elements(u.portions) p) AS portions
     FROM usage u JOIN organization o ON o.id = u.organization_id ORDER BY u.id, u.attempt`,
    'SELECT o.slug, t.kind, p.account, p.unit, sum(p.amount) AS amount, count(*) AS postings FROM ledger_posting p JOIN ledger_transaction t ON t.organization_id = p.organization_id AND t.id = p.transaction_id JOIN organization o ON o.id = p.organization_id GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4',
    'SELECT o.slug, l.measure, l.window_kind, l.amount, sum(c.taken) AS taken FROM usage_limit l JOIN organization o ON o.id = l.organization_id LEFT JOIN limit_counter c ON c.organization_id = l.organization_id AND c.limit_id = l.id GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4',
    'SELECT o.slug, r.grain_minutes, r.model, sum(r.requests) AS requests, sum(r.charge) AS charge FROM usage_rollup r JOIN organization o ON o.id = r.organization_id GROUP BY 1, 2, 3 ORDER BY 1, 2, 3',
  ]) {
    tables.push((await owner.query(sql)).rows);
  }
  return tables;
};

/** Customers set notices, and some were reached; webhook endpoints are there, and nothing is on its way to anybody. */
const expectTold = async ({ owner }: Loaded): Promise<void> => {
  const count = async (sql: string): Promise<unknown> => (await owner.query(`SELECT count(*)::integer AS count ${sql}`)).rows[0].count;
  expect(await count("FROM balance_notice WHERE unit = 'USD' AND threshold > 0")).toBeGreaterThan(0);
  expect(await count('FROM budget_alert')).toBeGreaterThan(0);
  expect(await count("FROM outbox_event WHERE kind = 'budget.alerted'")).toBe(await count('FROM budget_alert'));
  expect(await count("FROM webhook_endpoint WHERE url ~ '^https://[a-z.-]+[.]example[.]com/'")).toBeGreaterThan(1);
  expect(await count('FROM webhook_endpoint WHERE disabled_at IS NULL')).toBe(0);
  expect(await count('FROM notice_address')).toBe(0);
  expect(await count('FROM outbox_event WHERE sequence IS NULL')).toBe(0);
  expect(await count('FROM outbox_job')).toBe(0);
};

describe('the history of the demo', () => {
  test('is coherent: every proof of the books holds, and time is the real one again', async () => {
    const loaded = await makeDatabase();
    const result = await load(loaded, plan);
    expect(result.organizations).toBe(plan.organizations);
    expect(result.requests).toBeGreaterThan(plan.requests * 0.8);
    const { rows } = await loaded.owner.query('SELECT count(DISTINCT id)::integer AS requests, count(DISTINCT outcome)::integer AS outcomes, count(DISTINCT model)::integer AS models, max(settled_at) AS last FROM usage');
    expect(rows[0]).toMatchObject({ requests: result.requests, outcomes: 3 });
    expect(rows[0].models).toBeGreaterThan(4);
    expect(plan.untilMs - (rows[0].last as Date).getTime()).toBeLessThan(3_600_000);
    expect(await clockShift(loaded)).toBe('00:00:00');
    expect((await loaded.owner.query('SELECT FROM unrated_batch UNION ALL SELECT FROM unrolled_batch UNION ALL SELECT FROM usage_default UNION ALL SELECT FROM usage_quarantine UNION ALL SELECT FROM limit_slice')).rowCount).toBe(0);

    await expectTold(loaded);
    await expectInvariants(loaded.database.ownerUrl);
    // The clock's shift is recorded when it begins and when it ends.
    expect((await loaded.owner.query("SELECT columns FROM control_change WHERE table_name = 'database_mark' AND columns = '{clock_shift}'")).rows).toEqual([{ columns: ['clock_shift'] }, { columns: ['clock_shift'] }]);
    const audit = openAuditPool(loaded.database.ownerUrl);
    try {
      const { checks, holds } = await runReconcile(audit, {});
      expect(checks.filter(({ findings }) => findings.length > 0)).toEqual([]);
      expect(holds).toBe(true);
    } finally {
      await audit.end();
    }
  });

  test('is the same again for the same seed, and the same end', async () => {
    const [one, other] = [await makeDatabase(), await makeDatabase()];
    expect(await load(one, short)).toEqual(await load(other, short));
    const [first, second] = [await contents(one), await contents(other)];
    for (const table of first) expect(table.length).toBeGreaterThan(0);
    expect(first).toEqual(second);
  });

  test('has subsidiaries that their parents pay, and its books hold', async () => {
    const loaded = await makeDatabase();
    await load(loaded, { ...short, organizations: 40, days: 1 });
    const { rows } = await loaded.owner.query('SELECT c.slug, p.slug AS parent, c.account_root_id = p.id AS shares FROM organization c JOIN organization p ON p.id = c.parent_id ORDER BY 1');
    expect(rows).toEqual([
      { slug: 'kestrel-aviation-parts', parent: 'kestrel-aviation', shares: true },
      { slug: 'northwind-trading-asia', parent: 'northwind-trading', shares: true },
    ]);
    const { rows: paid } = await loaded.owner.query(`SELECT c.slug, p.slug AS parent, t.amount > 0 AS paid, r.amount > 0 AS kept FROM grant_transfer t
      JOIN organization c ON c.id = t.to_organization_id JOIN organization p ON p.id = t.organization_id
      JOIN transfer_rule r ON r.organization_id = p.id AND r.child_id = c.id WHERE t.reference = 'start-' || c.slug ORDER BY 1`);
    expect(paid).toEqual([
      { slug: 'kestrel-aviation-parts', parent: 'kestrel-aviation', paid: true, kept: true },
      { slug: 'northwind-trading-asia', parent: 'northwind-trading', paid: true, kept: true },
    ]);
    await expectInvariants(loaded.database.ownerUrl);
  });

  test('that is stopped half-way leaves the clock as it was', async () => {
    const loaded = await makeDatabase();
    const stop = new AbortController();
    await expect(load(loaded, short, stop.signal, (day) => day === 0 && stop.abort())).rejects.toThrow(StartInterrupted);
    expect((await loaded.owner.query('SELECT FROM usage')).rowCount).toBeGreaterThan(0);
    expect(await clockShift(loaded)).toBe('00:00:00');
  });
});
