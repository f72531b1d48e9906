import { beforeEach, describe, expect, test } from '@jest/globals';
import { formatMoney, parseMoney } from '@kilotoken/money';
import type { PrismaClient } from '@kilotoken/platform/prisma';
import { closeGrants, useGrantBooks } from '../../../test/support/grant-books.js';
import type { MoneyDatabase } from '../../../test/support/money-database.js';
import type { GrantRefundRequest } from './grant-change.js';
import { adjustGrant, refundGrant } from './grant-change.flow.js';
import { listBalances } from './ledger.store.js';

/** Several refunds of one grant, of a part each. */
let money: MoneyDatabase;
let prisma: PrismaClient;
let organizationId: string;
let grantId: string;

const books = useGrantBooks();
beforeEach(() => {
  ({ money, prisma, organizationId, grantId } = books);
});

const refund = (amount: string | null, reference: string, change: Partial<GrantRefundRequest> = {}) =>
  refundGrant(prisma, { organizationId, grantId, amount, reference, reason: 'test', ...change });
const close = (): Promise<number> => closeGrants(books);
const balances = async (): Promise<Record<string, string>> =>
  Object.fromEntries((await listBalances(prisma, organizationId)).map(({ account, balance }) => [account, formatMoney(balance)]));
const refundPostings = () =>
  money.sql<{ source: string; amount: string }>(
    `SELECT t.source_id AS source, trim_scale(p.amount)::text AS amount FROM ledger_transaction t JOIN ledger_posting p ON p.organization_id = t.organization_id AND p.transaction_id = t.id
     WHERE t.organization_id = $1 AND t.kind = 'grant_refunded' AND p.account = 'grant_liability' ORDER BY t.position`,
    [organizationId],
  );

describe('a refund of a part', () => {
  test('takes that part at once, leaves the grant open, and is done once per reference', async () => {
    expect(await refund('3', 'r-1')).toMatchObject({ asked: parseMoney('3'), refunded: parseMoney('3'), hasEnded: true });
    expect(await refund('3', 'r-1')).toMatchObject({ refunded: parseMoney('3'), hasEnded: true });
    expect(await refund('0.000000000001', 'r-2')).toMatchObject({ hasEnded: true });
    expect(await money.grant(grantId)).toMatchObject({ available: '6.999999999999' });
    const session = await money.newSession();
    expect((await money.take(session, { need: '6.999999999999' })).leases).toHaveLength(1);
    await money.reap(session);
    expect(await balances()).toEqual({ cash_clearing: '6.999999999999', grant_liability: '-6.999999999999' });
  });

  test('may be followed by a refund of the rest, which closes the grant', async () => {
    await refund('4', 'r-1');
    expect(await refund(null, 'r-2')).toMatchObject({ asked: null, refunded: parseMoney('6'), hasEnded: true });
    await expect(refund('1', 'r-3')).rejects.toMatchObject({ code: 'grant_closed' });
    await expect(refund(null, 'r-3')).rejects.toMatchObject({ code: 'grant_reference_used' });
    expect(await balances()).toEqual({ cash_clearing: '0', grant_liability: '0' });
  });

  test('refuses a reference that stands for another refund', async () => {
    await refund('4', 'r-1');
    await expect(refund('5', 'r-1')).rejects.toMatchObject({ code: 'grant_reference_used' });
    await expect(refund(null, 'r-1')).rejects.toMatchObject({ code: 'grant_reference_used' });
    await expect(refund('4', 'r-1', { counterAccount: 'stripe_clearing' })).rejects.toMatchObject({ code: 'grant_reference_used' });
    const other = await money.issue('10');
    await expect(refund('4', 'r-1', { grantId: other })).rejects.toMatchObject({ code: 'grant_reference_used' });
    expect(await money.grant(grantId)).toMatchObject({ available: '6' });
  });

  test('refuses more than remains, counting refunds that wait', async () => {
    await expect(refund('10.000000000001', 'r-1')).rejects.toMatchObject({ code: 'grant_below_floor' });
    const session = await money.newSession();
    await money.take(session, { need: '8' });
    expect(await refund('7', 'r-2')).toMatchObject({ refunded: parseMoney('2'), hasEnded: false });
    await expect(refund('3.000000000001', 'r-3')).rejects.toMatchObject({ code: 'grant_below_floor' });
    expect(await refund('3', 'r-4')).toMatchObject({ refunded: 0n, hasEnded: false });
    await money.reap(session);
    expect(await close()).toBe(0);
    expect(await refund('7', 'r-2')).toMatchObject({ refunded: parseMoney('7'), hasEnded: true });
    expect(await refund('3', 'r-4')).toMatchObject({ refunded: parseMoney('3'), hasEnded: true });
  });

  test('takes the rest from leases in the transaction that returns them, before another lease can', async () => {
    const session = await money.newSession();
    const { leaseId } = (await money.take(session, { need: '8' })).leases[0]!;
    await refund('5', 'r-1');
    expect((await money.poll(session)).recalled).toEqual([{ organizationId, leaseId }]);
    await money.giveBack(session, { lease: leaseId, keep: '7' });
    // 1 has come back and is refunded: there is nothing to lease.
    expect(await money.grant(grantId)).toMatchObject({ available: '0', leased: '7' });
    expect((await money.take(await money.newSession(), { need: '0.5' })).leases).toEqual([]);
    await money.giveBack(session, { lease: leaseId, keep: '1' });
    expect(await money.grant(grantId)).toMatchObject({ available: '4', leased: '1' });
    expect(await refund('5', 'r-1')).toMatchObject({ refunded: parseMoney('5'), hasEnded: true });
    const [{ id }] = await money.sql<{ id: string }>('SELECT id FROM grant_refund WHERE organization_id = $1', [organizationId]) as [{ id: string }];
    expect(await refundPostings()).toEqual([
      { source: `${grantId}:${id}:2.000000000000`, amount: '2' },
      { source: `${grantId}:${id}:3.000000000000`, amount: '1' },
      { source: `${grantId}:${id}:5.000000000000`, amount: '2' },
    ]);
    await money.reap(session);
  });

  test('ends with less where requests have used the grant meanwhile, and says so', async () => {
    const session = await money.newSession();
    const { leaseId } = (await money.take(session, { need: '8' })).leases[0]!;
    await refund('5', 'r-1');
    await money.settle(session, 1, { charge: 7, allocations: [{ lease: leaseId, grant: grantId, amount: '7' }] });
    await money.giveBack(session, { lease: leaseId, keep: '7', close: true });
    expect(await close()).toBe(1);
    expect(await refund('5', 'r-1')).toMatchObject({ asked: parseMoney('5'), refunded: parseMoney('3'), hasEnded: true });
    expect(await money.grant(grantId)).toMatchObject({ available: '0', settled: '7' });
  });

  test('is paid first when a refund of the rest waits behind it', async () => {
    const session = await money.newSession();
    const { leaseId } = (await money.take(session, { need: '9' })).leases[0]!;
    await refund('4', 'r-1');
    await refund(null, 'r-2');
    await money.giveBack(session, { lease: leaseId, keep: '0', close: true });
    expect(await refund('4', 'r-1')).toMatchObject({ refunded: parseMoney('4'), hasEnded: true });
    expect(await close()).toBe(0);
    expect(await refund(null, 'r-2')).toMatchObject({ refunded: parseMoney('6'), hasEnded: true });
  });

  test('does not take a lease that returns after the end of the grant: it has expired', async () => {
    grantId = await money.issue({ amount: '5', expiresInMs: 3_600_000 });
    const session = await money.newSession();
    const leases = (await money.take(session, { need: '15' })).leases;
    expect(await refund('4', 'r-1')).toMatchObject({ refunded: 0n, hasEnded: false });
    await money.shiftClock('2 hours');
    await money.giveBack(session, ...leases.map((lease) => ({ lease: lease.leaseId, keep: '0', close: true })));
    expect(await close()).toBe(1);
    await money.shiftClock('0');
    expect(await refund('4', 'r-1')).toMatchObject({ refunded: 0n, hasEnded: true });
    expect(await money.grant(grantId)).toMatchObject({ available: '0', expired: '5' });
  });

  test('takes an addition by hand too while it waits', async () => {
    const session = await money.newSession();
    const { leaseId } = (await money.take(session, { need: '10' })).leases[0]!;
    await refund('5', 'r-1');
    await adjustGrant(prisma, { organizationId, grantId, amount: '2', reference: 'a-1', reason: 'test' });
    await close();
    expect(await refund('5', 'r-1')).toMatchObject({ refunded: parseMoney('2'), hasEnded: false });
    await money.giveBack(session, { lease: leaseId, keep: '0', close: true });
    expect(await money.grant(grantId)).toMatchObject({ available: '7' });
  });

  test('is paid from the account that is asked for, which the chart allows for the source of the grant', async () => {
    await refund('1', 'r-1', { counterAccount: 'stripe_clearing' });
    await refund('2', 'r-2', { counterAccount: 'invoice_receivable' });
    expect(await balances()).toEqual({ cash_clearing: '10', grant_liability: '-7', invoice_receivable: '-2', stripe_clearing: '-1' });
    await expect(refund('1', 'r-3', { counterAccount: 'promotion_expense' })).rejects.toMatchObject({ code: 'account_not_allowed' });
    await expect(refund('1', 'r-3', { counterAccount: 'usage_revenue' })).rejects.toMatchObject({ code: 'account_not_allowed' });
    expect(await money.grant(grantId)).toMatchObject({ available: '7' });
  });

  test('waits behind no other grant whose leases stay out', async () => {
    const session = await money.newSession();
    const other = await money.issue({ amount: '10', expiresInMs: 3_600_000 });
    const leases = (await money.take(session, { need: '20' })).leases;
    for (const id of [grantId, other]) await refund(null, `r-${id}`, { grantId: id });
    const returned = [grantId, other].sort()[1]!;
    await money.giveBack(session, { lease: leases.find((lease) => lease.grantId === returned)!.leaseId, keep: '0', close: true });
    let looks = 0;
    while ((await money.app.query<{ n: number }>('SELECT grants_close(1) AS n')).rows[0]!.n === 0 && looks < 200) looks += 1;
    expect(await refund(null, `r-${returned}`, { grantId: returned })).toMatchObject({ refunded: parseMoney('10'), hasEnded: true });
    expect(looks).toBeLessThan(200);
    await money.reap(session);
    expect(await close()).toBe(1);
  });

  test.each([['zero', '0'], ['less than zero', '-1'], ['13 decimals', '0.0000000000001'], ['a word', 'all']])('refuses %s', async (_name, amount) => {
    await expect(refund(amount, 'r-1')).rejects.toMatchObject({ code: 'grant_invalid' });
  });

  test('happens once, however many ask at once', async () => {
    const answers = await Promise.all(Array.from({ length: 12 }, () => refund('4', 'r-1')));
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
    expect(await money.grant(grantId)).toMatchObject({ available: '6' });
  });

  test('never takes more than there is, however many different ones are asked at once', async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 12 }, (_, index) => refund('3', `r-${index}`)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'grant_below_floor' });
    expect(await money.grant(grantId)).toMatchObject({ available: '1' });
  });
});
