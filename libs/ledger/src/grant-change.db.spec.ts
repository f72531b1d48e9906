import { beforeEach, describe, expect, test } from '@jest/globals';
import { parseMoney } from '@kilotoken/money';
import type { PrismaClient } from '@kilotoken/platform/prisma';
import { closeGrants, useGrantBooks } from '../../../test/support/grant-books.js';
import type { MoneyDatabase } from '../../../test/support/money-database.js';
import type { NewGrantAdjustment } from './grant-change.js';
import { adjustGrant, refundGrant } from './grant-change.flow.js';

let money: MoneyDatabase;
let prisma: PrismaClient;
let organizationId: string;
let grantId: string;

const books = useGrantBooks();
beforeEach(() => {
  ({ money, prisma, organizationId, grantId } = books);
});

const refund = (reference = 'ticket-1') => refundGrant(prisma, { organizationId, grantId, reference, reason: 'not wanted' });
const adjust = (amount: string, change: Partial<NewGrantAdjustment> = {}) => adjustGrant(prisma, { organizationId, grantId, amount, reference: 'ticket-2', reason: 'a mistake', ...change });
const close = (): Promise<number> => closeGrants(books);

describe('a refund', () => {
  test('of what nobody holds is done at once, and once', async () => {
    expect((await refund()).refunded).toBe(parseMoney('10'));
    expect((await refund()).refunded).toBe(parseMoney('10'));
    expect(await money.grant(grantId)).toMatchObject({ available: '0' });
    await expect(refund('another')).rejects.toMatchObject({ code: 'grant_reference_used' });
  });

  test('waits for what gateways hold: nothing more is leased, what is idle is recalled, and the rest is refunded when it is back', async () => {
    const session = await money.newSession();
    const { leaseId } = (await money.take(session, { need: '4' })).leases[0]!;
    expect(await refund()).toMatchObject({ refunded: 0n, hasEnded: false });
    expect((await money.poll(session)).recalled).toEqual([{ organizationId, leaseId }]);
    expect((await money.take(session, { need: '1' })).leases).toEqual([]);
    expect(await close()).toBe(0);
    await money.giveBack(session, { lease: leaseId, keep: '3' });
    // Still open: it is asked for again.
    expect(await close()).toBe(0);
    expect((await money.poll(session)).recalled).toEqual([{ organizationId, leaseId }]);
    await money.giveBack(session, { lease: leaseId, keep: '0', close: true });
    expect(await close()).toBe(1);
    expect(await close()).toBe(0);
    expect((await refund()).refunded).toBe(parseMoney('10'));
  });

  test('is finished by the reaping of a gateway that died with a lease', async () => {
    const session = await money.newSession();
    await money.take(session, { need: '4' });
    await refund();
    await money.reap(session);
    expect(await close()).toBe(1);
  });

  test('comes before the end of the grant: what was asked back does not expire', async () => {
    const limited = await money.issue({ amount: '5', expiresInMs: 3_600_000 });
    grantId = limited;
    const session = await money.newSession();
    const leases = (await money.take(session, { need: '15' })).leases;
    await refund();
    const own = leases.find((lease) => lease.grantId === limited)!;
    await money.giveBack(session, ...leases.filter((lease) => lease !== own).map(({ leaseId }) => ({ lease: leaseId, keep: '0', close: true })));
    await money.giveBack(session, { lease: own.leaseId, keep: '0', close: true });
    await money.shiftClock('2 hours');
    await money.expireGrants();
    expect(await close()).toBe(1);
    await money.shiftClock('0');
    expect(await money.grant(limited)).toMatchObject({ available: '0', expired: '0' });
  });

  test('is refused for what is no grant of the organization', async () => {
    grantId = '01890000-0000-7000-8000-000000000000';
    await expect(refund()).rejects.toMatchObject({ code: 'grant_not_found' });
  });
});

describe('an adjustment', () => {
  test('adds and takes exactly, once per reference, however many ask at once', async () => {
    await Promise.all(Array.from({ length: 6 }, () => adjust('0.000000000001')));
    expect(await adjust('-10.000000000001', { reference: 'ticket-3' })).toMatchObject({ granted: 0n, available: 0n });
    await expect(adjust('1')).rejects.toMatchObject({ code: 'grant_reference_used' });
  });

  test('never takes what is not available, and says so', async () => {
    const session = await money.newSession();
    await money.take(session, { need: '4' });
    await expect(adjust('-6.000000000001')).rejects.toMatchObject({ code: 'grant_below_floor' });
    await adjust('-6');
    expect(await money.grant(grantId)).toMatchObject({ available: '0', leased: '4' });
    await money.reap(session);
  });

  test('is refused of a grant that is over', async () => {
    await refund();
    await expect(adjust('1')).rejects.toMatchObject({ code: 'grant_closed' });
  });

  test.each([['nothing', { amount: '0' }], ['13 decimals', { amount: '0.0000000000001' }], ['no reason', { reason: ' ' }], ['no reference', { reference: '' }]])('is refused with %s', async (_name, change) => {
    await expect(adjust('1', change)).rejects.toMatchObject({ code: 'grant_invalid' });
  });
});
