import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Db } from '@kilotoken/platform';
import { MoneyDatabase } from '../../../../../test/support/money-database.js';
import { rate } from '../../../../../test/support/reconcile-fixture.js';
import { toBalance } from './balance.js';
import { readBalances } from './balance.store.js';

const hourMs = 3_600_000;
let money: MoneyDatabase;
beforeAll(async () => {
  money = await MoneyDatabase.create();
});
afterAll(() => money.drop());

const use = async (charge: number): Promise<void> => {
  const session = await money.newSession();
  const allocations = (await money.take(session, { need: String(charge) })).leases.map(({ leaseId, grantId, slice }) => ({ lease: leaseId, grant: grantId, amount: slice }));
  await money.settle(session, 1, { charge, allocations });
  await money.reap(session);
  await rate(money, money.mintId());
  await money.app.query('SELECT rollup_add(1000)');
};
const read = (organizationIds: readonly string[]) => readBalances(money.owner as unknown as Db, organizationIds);
const balance = async () => {
  const [[row]] = (await read([money.tenant.organizationId])) as [[NonNullable<Awaited<ReturnType<typeof read>>[0][0]>]];
  const { runsOutOn, ...rest } = toBalance(row);
  return { ...rest, lastsHours: runsOutOn && Math.round((runsOutOn.getTime() - row.now.getTime()) / hourMs) };
};

describe('a balance', () => {
  it('that lasts until it is used up ends at the mean use of a day', async () => {
    await money.newTenant('10', '20');
    await use(6);
    expect(await balance()).toMatchObject({ unit: 'USD', available: '24', granted: '30', used: '6', burnPerDay: '6', lastsHours: 96, expiresNext: null });
  });

  it('whose grant ends before it is used up ends with it', async () => {
    await money.newTenant({ amount: '30', expiresInMs: 36 * hourMs });
    await use(6);
    expect(await balance()).toMatchObject({ available: '24', burnPerDay: '6', lastsHours: 36 });
  });

  it('counts a grant that begins before the others are used up', async () => {
    await money.newTenant('12');
    await use(6);
    await money.sql("SELECT grant_issue_against($1, uuidv7(), 'USD', 6, 'promotion', 'later', 100::smallint, NULL, kt_now() + interval '12 hours', NULL, NULL)", [money.tenant.organizationId]);
    expect(await balance()).toMatchObject({ available: '6', granted: '18', lastsHours: 48 });
  });

  it('counts nothing of a grant that is being refunded', async () => {
    const { grantIds } = await money.newTenant('12', '30');
    await use(6);
    await money.sql("SET session_replication_role = replica; UPDATE credit_grant SET closing_at = kt_now() WHERE id = $$" + grantIds[1]! + "$$; SET session_replication_role = DEFAULT");
    expect(await balance()).toMatchObject({ available: '6', lastsHours: 24 });
  });

  it('of several organizations comes by one statement, each with its own', async () => {
    const { organizationId: unused } = await money.newTenant('7');
    const { organizationId: none } = await money.newTenant();
    const { organizationId: used } = await money.newTenant('8');
    await use(1);
    const answers = (await read([unused, none, used])).map((rows) => rows.map(toBalance));
    expect(answers).toMatchObject([[{ available: '7', burnPerDay: '0', runsOutOn: null }], [], [{ available: '7', burnPerDay: '1' }]]);
  });
});
