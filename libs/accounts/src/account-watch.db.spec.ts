import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { listAuditEntries } from '@kilotoken/audit';
import { refundGrant } from '@kilotoken/ledger';
import { changeThrough, createControlPool, createPool, operatorSession, throughPg, type ControlPool, type RawDb } from '@kilotoken/platform';
import type pg from 'pg';
import { pino } from 'pino';
import { expectInvariants } from '../../../test/support/invariants.js';
import { MoneyDatabase, sqlStateFrom } from '../../../test/support/money-database.js';
import { serviceUrl } from '../../../test/support/postgres.js';
import { rate } from '../../../test/support/reconcile-fixture.js';
import { AccountWatchService } from './account-watch.service.js';
import type { NewTransferRule } from './transfer-rule.js';
import { listTransferRules, removeTransferRule, setTransferRule } from './transfer-rule.flow.js';

/** Transfer rules and alerts of budgets, as the backoffice and the control plane run them. */
let money: MoneyDatabase;
let control: ControlPool;
let backoffice: pg.Pool;
let watches: AccountWatchService[];
let parent: string;
let child: string;
let grants: readonly string[];

beforeAll(async () => {
  money = await MoneyDatabase.create();
  control = createControlPool({ kind: 'person', id: 'ada', name: null }, { connectionString: serviceUrl(money.database.appUrl, 'control'), max: 4, applicationName: 'test', sessionOptions: operatorSession });
  backoffice = createPool({ connectionString: serviceUrl(money.database.appUrl, 'backoffice'), max: 8, applicationName: 'test' });
});
beforeEach(async () => {
  watches = Array.from({ length: 4 }, () => new AccountWatchService(backoffice, pino({ level: 'silent' }), 1_000));
  await money.sql('DELETE FROM transfer_rule');
  child = (await money.newTenant()).organizationId;
  const tenant = await money.newTenant({ amount: '30', expiresInMs: 3_600_000 }, '100');
  [parent, grants] = [tenant.organizationId, tenant.grantIds];
  await money.sql('UPDATE organization SET account_root_id = $1 WHERE id = $2', [parent, child]);
  await money.sql('ALTER TABLE organization DISABLE TRIGGER organization_tree');
  await money.sql('UPDATE organization SET parent_id = $1 WHERE id = $2', [parent, child]);
  await money.sql('ALTER TABLE organization ENABLE TRIGGER organization_tree');
});
afterEach(() => expectInvariants(money.database.ownerUrl));
afterAll(async () => {
  await Promise.all([control.end(), backoffice.end()]);
  await money.drop();
});

const change = <Result>(organizationId: string, work: (db: RawDb) => Promise<Result>) => changeThrough(control, organizationId, (db) => work(throughPg(db)));
const watch = () => watches[0]!;

describe('a transfer rule', () => {
  const setRule = (fields: Partial<NewTransferRule> = {}) =>
    change(parent, (db) => setTransferRule(db, { organizationId: parent, childId: child, unit: 'USD', threshold: '5', amount: '20', capPerMonth: '50', ...fields }));
  const balanceOf = async (organizationId: string): Promise<string> =>
    (await money.sql<{ available: string }>('SELECT trim_scale(coalesce(sum(available), 0))::text AS available FROM credit_grant WHERE organization_id = $1 AND closing_at IS NULL', [organizationId]))[0]!.available;
  /** The child loses what it has but for an amount. */
  const drainTo = async (amount: string): Promise<void> => {
    for (const { id, available } of await money.sql<{ id: string; available: string }>('SELECT id, available FROM credit_grant WHERE organization_id = $1 AND available > 0', [child])) {
      await change(child, (db) => refundGrant(db, { organizationId: child, grantId: id, amount: available, reference: `drain-${id}`, reason: 'test' }));
    }
    if (amount !== '0') await money.sql("SELECT grant_issue_against($1, uuidv7(), 'USD', $2, 'promotion', gen_random_uuid()::text, 100::smallint, NULL, NULL, NULL, NULL)", [child, amount]);
  };

  it('transfers its amount when the child is below the threshold, from grants in the order in which they burn, and not again', async () => {
    await setRule({ amount: '40', capPerMonth: '40' });
    await watch().runRulesOnce();
    expect([await balanceOf(parent), await balanceOf(child)]).toEqual(['90', '40']);
    expect([(await money.grant(grants[0]!)).available, (await money.grant(grants[1]!)).available]).toEqual(['0', '90']);
    await watch().runRulesOnce();
    expect(await balanceOf(child)).toBe('40');
    expect((await change(parent, (db) => listTransferRules(db, parent)))[0]).toMatchObject({ childId: child, transferred: 40n * 10n ** 12n });
  });

  it('transfers once, however many processes run it at once', async () => {
    await setRule();
    await Promise.all(watches.map((service) => service.runRulesOnce()));
    expect([await balanceOf(parent), await balanceOf(child)]).toEqual(['110', '20']);
  });

  it('stops at the cap of the month, and begins anew in the next', async () => {
    await setRule();
    for (let round = 0; round < 4; round += 1) {
      await drainTo('0');
      await watch().runRulesOnce();
    }
    expect(await balanceOf(parent)).toBe('80');
    const [{ shift }] = await money.sql<{ shift: string }>("SELECT (date_trunc('month', kt_now()) + interval '1 month' - kt_now() + interval '1 hour')::text AS shift") as [{ shift: string }];
    await money.shiftClock(shift);
    try {
      await watch().runRulesOnce();
      expect(await balanceOf(child)).toBe('20');
    } finally {
      await money.shiftClock('0');
    }
  });

  it('transfers what the parent has where that is less, and nothing of a grant that is being refunded or of another unit', async () => {
    await change(parent, (db) => refundGrant(db, { organizationId: parent, grantId: grants[1]!, reference: 'all', reason: 'test' }));
    await setRule({ amount: '50' });
    await watch().runRulesOnce();
    expect([await balanceOf(parent), await balanceOf(child)]).toEqual(['0', '30']);
  });

  it('leaves a child alone that has the threshold, and one without a rule', async () => {
    await drainTo('5');
    await setRule();
    await watch().runRulesOnce();
    expect(await balanceOf(child)).toBe('5');
    await change(parent, (db) => removeTransferRule(db, { organizationId: parent, childId: child, unit: 'USD' }));
    await drainTo('0');
    await watch().runRulesOnce();
    expect(await balanceOf(parent)).toBe('130');
    await expect(change(parent, (db) => removeTransferRule(db, { organizationId: parent, childId: child, unit: 'USD' }))).rejects.toMatchObject({ code: 'transfer_rule_not_found' });
  });

  it('is audited on both sides', async () => {
    await setRule();
    expect((await change(parent, (db) => listAuditEntries(db, { organizationId: parent })))[0]).toMatchObject({ actor: { id: 'ada' }, objectType: 'transfer_rule', after: { threshold: 5, amount: 20, cap_per_month: 50 } });
    await watch().runRulesOnce();
    expect((await change(parent, (db) => listAuditEntries(db, { organizationId: parent })))[0]).toMatchObject({ actor: { kind: 'system' }, objectType: 'grant_transfer' });
    expect((await change(child, (db) => listAuditEntries(db, { organizationId: child })))[0]).toMatchObject({ actor: { kind: 'system' }, objectType: 'credit_grant' });
  });

  it.each<[string, Partial<NewTransferRule>, string]>([
    ['for a cap below the amount', { capPerMonth: '19' }, 'accounts_invalid'],
    ['for an amount of nothing', { amount: '0' }, 'accounts_invalid'],
    ['for a unit that nobody declared', { unit: 'no-such-pack' }, 'accounts_invalid'],
    ['for an organization that is not below', { childId: '01890000-0000-7000-8000-000000000000' }, 'organizations_not_related'],
  ])('is refused %s', async (_name, fields, code) => {
    await expect(setRule(fields)).rejects.toMatchObject({ code });
    await expect(change(child, (db) => setTransferRule(db, { organizationId: child, childId: parent, unit: 'USD', threshold: '5', amount: '20', capPerMonth: '50' }))).rejects.toMatchObject({ code: 'organizations_not_related' });
  });

  it('is run by the backoffice alone', async () => {
    expect(await sqlStateFrom(control.query("SELECT transfer_rule_run(gen_random_uuid(), gen_random_uuid(), 'USD')"))).toBe('42501');
  });
});

describe('a budget', () => {
  let session: string;
  let flush = 0;

  const setBudget = (fields: { kind?: string; subject?: string; amount?: number; percents?: string; window?: string; measure?: string; unit?: string } = {}) => {
    const { kind = 'organization', subject = parent, amount = 10, percents = '{50,80,100}', window = 'month', measure = 'money', unit = 'USD' } = fields;
    return money.sql<{ id: string }>(
      `INSERT INTO usage_limit (organization_id, id, subject_kind, subject_id, measure, unit, window_kind, window_ms, amount, mode, alert_percents)
       VALUES ($1, uuidv7(), $2, $3, $4, $5, $6, 0, $7, 'soft', $8) RETURNING id`, [parent, kind, subject, measure, unit, window, amount, percents],
    ).then(([row]) => row!.id);
  };
  /** A gateway takes from the counter, and what it used is settled, rated and rolled up. */
  const take = (limit: string, need: number, subject = parent) =>
    money.sql("SELECT limit_exchange($1, $2, uuidv7(), uuidv7(), $3)", [session, parent, JSON.stringify([{ limit, subject, keep: [], need, least: need, spare: 0 }])]);
  const use = async (charge: number): Promise<void> => {
    const lease = (await money.take(session, { need: String(charge) })).leases;
    const allocations = lease.map(({ leaseId, grantId, slice }) => ({ lease: leaseId, grant: grantId, amount: slice }));
    await money.settle(session, (flush += 1), { charge, allocations });
    await rate(money, money.mintId());
    await money.app.query('SELECT rollup_add(1000)');
  };
  const alerts = async (): Promise<string[]> =>
    (await money.sql<{ payload: { percent: number; used: string } }>("SELECT payload FROM outbox_event WHERE organization_id = $1 AND kind = 'budget.alerted' ORDER BY id", [parent])).map(({ payload }) => `${payload.percent}: ${payload.used}`);
  const check = async (): Promise<string[]> => {
    await watch().checkBudgetsOnce();
    return alerts();
  };

  beforeEach(async () => {
    session = await money.newSession();
    await money.sql("UPDATE credit_grant SET priority = 100 WHERE organization_id = $1", [parent]);
  });
  afterEach(async () => {
    await money.reap(session);
    await money.sql('DELETE FROM usage_limit WHERE organization_id = $1', [parent]);
  });

  it('tells at 50, 80 and 100 percent, each once in its period, however many look', async () => {
    const limit = await setBudget();
    await take(limit, 5);
    await use(5);
    await Promise.all(watches.map((service) => service.checkBudgetsOnce()));
    expect(await alerts()).toEqual(['50: 5']);
    await take(limit, 2);
    await use(2);
    expect(await check()).toEqual(['50: 5']);
    await take(limit, 3);
    await use(3);
    expect(await check()).toEqual(['50: 5', '80: 10', '100: 10']);
    expect(await check()).toHaveLength(3);
  });

  it('tells of what was used, and not of what a gateway has only set aside', async () => {
    const limit = await setBudget();
    await take(limit, 9);
    expect(await check()).toEqual([]);
    await use(4);
    expect(await check()).toEqual([]);
    await use(1);
    expect(await check()).toEqual(['50: 5']);
  });

  it('tells at the percents that were set, and at none', async () => {
    const limit = await setBudget({ percents: '{25}' });
    const silent = await setBudget({ window: 'week', percents: '{}' });
    await take(limit, 10);
    await take(silent, 10);
    await use(10);
    expect(await check()).toEqual(['25: 10']);
  });

  it('of another amount, or in the next period, begins anew', async () => {
    const limit = await setBudget();
    await take(limit, 6);
    await use(6);
    expect(await check()).toEqual(['50: 6']);
    await money.sql('UPDATE usage_limit SET amount = 11 WHERE id = $1', [limit]);
    expect(await check()).toEqual(['50: 6', '50: 6']);
    await money.shiftClock('32 days');
    try {
      expect(await check()).toHaveLength(2);
    } finally {
      await money.shiftClock('0');
    }
  });

  it('of a project, a key or tokens counts their use alone', async () => {
    const other = money.mintId();
    await money.sql("INSERT INTO project (organization_id, id, name) VALUES ($1, $2, 'other')", [parent, other]);
    const budgets = [
      [await setBudget({ kind: 'project', subject: other, percents: '{50}' }), other],
      [await setBudget({ kind: 'project', subject: money.tenant.projectId, percents: '{60}' }), money.tenant.projectId],
      [await setBudget({ kind: 'key', subject: money.tenant.keys[0]!.id, percents: '{70}' }), money.tenant.keys[0]!.id],
      [await setBudget({ measure: 'input_tokens', unit: 'count', percents: '{80}' }), parent],
      [await setBudget({ measure: 'output_tokens', unit: 'count', percents: '{90}' }), parent],
      [await setBudget({ measure: 'tokens', unit: 'count', percents: '{95}' }), parent],
    ] as const;
    for (const [limit, subject] of budgets) await take(limit, 10, subject);
    await use(10);
    expect((await check()).sort()).toEqual(['60: 10', '70: 10', '80: 10', '95: 10']);
  });

  it('of end users tells when the first of them reaches a percent', async () => {
    const limit = await setBudget({ kind: 'end_user' });
    await take(limit, 4, 'bob');
    await take(limit, 5, 'eve');
    expect(await check()).toEqual(['50: 5']);
  });

  it('that is no budget is told of never', async () => {
    const limit = await setBudget({ measure: 'requests', unit: 'count', window: 'day' });
    await take(limit, 10);
    await use(10);
    expect(await check()).toEqual([]);
  });
});
