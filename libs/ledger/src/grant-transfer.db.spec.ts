import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { formatMoney, parseMoney } from '@kilotoken/money';
import { createPrisma, type PrismaClient } from '@kilotoken/platform/prisma';
import { expectInvariants } from '../../../test/support/invariants.js';
import { MoneyDatabase } from '../../../test/support/money-database.js';
import { verifyChains } from './chain.flow.js';
import type { NewGrantTransfer } from './grant-change.js';
import { refundGrant, transferGrant } from './grant-change.flow.js';
import { listGrants } from './grant.store.js';
import { listBalances } from './ledger.store.js';

/** A parent pays for a child of its account tree by a transfer. */
let money: MoneyDatabase;
let prisma: PrismaClient;
let parent: string;
let child: string;
let grantId: string;

beforeAll(async () => {
  money = await MoneyDatabase.create();
  prisma = createPrisma(money.database.ownerUrl, { applicationName: 'test', connectionsMax: 12 });
});
beforeEach(async () => {
  child = (await money.newTenant()).organizationId;
  const tenant = await money.newTenant({ amount: '10', models: ['mock'], expiresInMs: 3_600_000 });
  parent = tenant.organizationId;
  grantId = tenant.grantIds[0]!;
  await money.sql('UPDATE organization SET account_root_id = $1 WHERE id = $2', [parent, child]);
});
afterEach(async () => {
  await expectInvariants(money.database.ownerUrl);
  expect((await verifyChains(prisma)).breaks).toEqual([]);
});
afterAll(async () => {
  await prisma.$disconnect();
  await money.drop();
});

const transfer = (change: Partial<NewGrantTransfer> = {}) =>
  transferGrant(prisma, { organizationId: parent, grantId, toOrganizationId: child, amount: '4', reference: 't-1', reason: 'test', ...change });
const balances = async (organizationId: string | null): Promise<Record<string, string>> =>
  Object.fromEntries((await listBalances(prisma, organizationId)).map(({ account, balance }) => [account, formatMoney(balance)]));

describe('a transfer', () => {
  test('makes a grant on the same terms and balances through the clearing account', async () => {
    const { toGrantId } = await transfer();
    const [given] = await listGrants(prisma, parent);
    const [received] = await listGrants(prisma, child);
    expect(given).toMatchObject({ available: parseMoney('6'), removed: parseMoney('4') });
    expect(received).toMatchObject({ id: toGrantId, source: 'transfer', reference: `${grantId}:t-1`, granted: parseMoney('4'), available: parseMoney('4') });
    expect(received).toMatchObject({ unit: given!.unit, priority: given!.priority, scopeModels: ['mock'], effectiveAt: given!.effectiveAt, expiresAt: given!.expiresAt });
    expect(await balances(parent)).toEqual({ cash_clearing: '10', grant_liability: '-6', transfer_clearing: '-4' });
    expect(await balances(child)).toEqual({ grant_liability: '-4', transfer_clearing: '4' });
  });

  test('is made once per reference, however many ask at once', async () => {
    const transfers = await Promise.all(Array.from({ length: 8 }, () => transfer()));
    expect(new Set(transfers.map(({ id }) => id)).size).toBe(1);
    expect(await listGrants(prisma, child)).toHaveLength(1);
    await expect(transfer({ amount: '5' })).rejects.toMatchObject({ code: 'grant_reference_used' });
  });

  test('is spent by the organization that received it, and by no other', async () => {
    const { toGrantId } = await transfer();
    const session = await money.newSession();
    const own = (await money.take(session, { need: '6' })).leases[0]!;
    expect(own.grantId).toBe(grantId);
    expect((await money.take(session, { need: '1' })).leases).toEqual([]);
    expect(await money.grant(toGrantId)).toMatchObject({ available: '4', leased: '0' });
    await money.reap(session);
  });

  test('is refused for more than is available, outside of the tree, to itself, and of a grant that is closed', async () => {
    await expect(transfer({ amount: '10.000000000001' })).rejects.toMatchObject({ code: 'grant_below_floor' });
    const stranger = (await money.newTenant()).organizationId;
    await expect(transfer({ toOrganizationId: stranger })).rejects.toMatchObject({ code: 'organizations_not_related' });
    await expect(transfer({ toOrganizationId: parent })).rejects.toMatchObject({ code: 'organizations_not_related' });
    await expect(transfer({ toOrganizationId: '01890000-0000-7000-8000-000000000000' })).rejects.toMatchObject({ code: 'organization_not_found' });
    await expect(transfer({ organizationId: child, toOrganizationId: parent })).rejects.toMatchObject({ code: 'grant_not_found' });
    await refundGrant(prisma, { organizationId: parent, grantId, reference: 'r-1', reason: 'test' });
    await expect(transfer()).rejects.toMatchObject({ code: 'grant_closed' });
    expect(await listGrants(prisma, child)).toEqual([]);
  });

  test('may go back, and each part is refunded to the account that paid for the first grant', async () => {
    const { toGrantId } = await transfer();
    const back = await transfer({ organizationId: child, grantId: toGrantId, toOrganizationId: parent, amount: '1' });
    for (const [organizationId, id] of [[child, toGrantId], [parent, back.toGrantId], [parent, grantId]] as const) {
      await refundGrant(prisma, { organizationId, grantId: id, reference: `r-${id}`, reason: 'test' });
    }
    expect(await balances(child)).toEqual({ cash_clearing: '-3', grant_liability: '0', transfer_clearing: '3' });
    expect(await balances(parent)).toEqual({ cash_clearing: '3', grant_liability: '0', transfer_clearing: '-3' });
  });

  test('never takes more than there is, in both directions at once', async () => {
    const { toGrantId } = await transfer({ amount: '5' });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 16 }, (_, index) =>
        index % 2 ? transfer({ amount: '2', reference: `down-${index}` }) : transfer({ organizationId: child, grantId: toGrantId, toOrganizationId: parent, amount: '2', reference: `up-${index}` }),
      ),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(4);
    for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'grant_below_floor' });
  });
});
