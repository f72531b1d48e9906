import { describe, expect, it } from '@jest/globals';
import { answer, askOf, driverWith, kinds, lease, limits, parts, plenty, WalletDriver } from '../../../test/support/wallet-driver.js';
import { allocate, type BurnRank } from './lease.js';
import { abandonAsk, cancelWait, couldCover, isIdle, requestHold, unspent } from './wallet.js';

describe('a hold', () => {
  it('is taken at once where the leases cover it', () => {
    const driver = driverWith([lease('a', 100n)]);
    const hold = driver.hold({ want: 30n });
    expect(hold.total).toBe(30n);
    expect(driver.wallet.leases[0]).toMatchObject({ slice: 100n, free: 70n, held: 30n, settled: 0n });
  });

  it.each<[string, Partial<BurnRank>, Partial<BurnRank>]>([
    ['the lower priority', { priority: 1 }, { priority: 2, expiresAtMs: 10 }],
    ['the sooner expiry', { expiresAtMs: 1_000 }, { expiresAtMs: 2_000, promotional: true }],
    ['any expiry before none', { expiresAtMs: 1_000 }, { promotional: true }],
    ['promotional before paid', { promotional: true, effectiveAtMs: 9 }, { effectiveAtMs: 1 }],
    ['the earlier beginning', { effectiveAtMs: 1, createdAtMs: 9 }, { effectiveAtMs: 2, createdAtMs: 1 }],
    ['the earlier creation', { createdAtMs: 1 }, { createdAtMs: 2 }],
  ])('burns %s first', (_name, first, second) => {
    for (const leases of [[lease('z', 5n, first), lease('a', 5n, second)], [lease('a', 5n, second), lease('z', 5n, first)]]) {
      expect(parts(driverWith(leases).hold({ want: 6n }))).toEqual([['z', 5n], ['a', 1n]]);
    }
  });

  it('burns by id where all else is equal', () => {
    expect(parts(driverWith([lease('b', 5n), lease('a', 5n), lease('c', 5n)]).hold({ want: 11n }))).toEqual([['a', 5n], ['b', 5n], ['c', 1n]]);
  });

  it('has no part of a lease that has nothing free', () => {
    const driver = driverWith([lease('a', 5n), lease('b', 5n)]);
    driver.hold({ want: 5n });
    expect(parts(driver.hold({ want: 5n }))).toEqual([['b', 5n]]);
  });

  it('takes nothing from a lease whose grant does not pay for the model', () => {
    const driver = driverWith([lease('a', 5n, { models: ['other'] }), lease('b', 5n, { models: ['other', 'mock'] }), lease('c', 5n)]);
    expect(parts(driver.hold({ want: 10n }))).toEqual([['b', 5n], ['c', 5n]]);
  });

  it('takes nothing from a lease whose grant has expired', () => {
    const driver = driverWith([lease('a', 5n, { expiresAtMs: 50 }), lease('b', 5n)]);
    driver.nowMs = 50;
    expect(parts(driver.hold({ want: 5n }))).toEqual([['b', 5n]]);
  });

  it('of nothing, for a free model, needs no lease and no ask', () => {
    const driver = new WalletDriver();
    expect(kinds(driver.request({ want: 0n }))).toEqual(['request-0001 holds 0']);
    expect(isIdle(driver.wallet)).toBe(true);
  });

  it('asks in the order of ids only: a lease must know the oldest request that can use it', () => {
    const { wallet } = driverWith([lease('a', 5n)]);
    requestHold(wallet, { id: 'request-0009', model: 'mock', want: 1n, least: 1n }, 'ask-9', 0);
    expect(() => requestHold(wallet, { id: 'request-0008', model: 'mock', want: 1n, least: 1n }, 'ask-8', 0)).toThrow('in the order of their ids');
  });

  it.each([
    [5n, 6n],
    [5n, -1n],
  ])('of %s with a least part of %s is a mistake', (want, least) => {
    expect(() => new WalletDriver().request({ want, least })).toThrow('the least hold is at most the wanted one');
  });
});

describe('who waits', () => {
  it('asks for exactly what is missing, once', () => {
    const driver = driverWith([lease('a', 4n)]);
    expect(askOf(driver.request({ want: 10n, least: 7n }))).toMatchObject({ need: 6n, least: 3n, want: 10n, model: 'mock', firstUsageId: 'request-0003' });
    expect(driver.request({ want: 10n })).toEqual([]);
  });

  it('is asked for together with all others of its model that wait', () => {
    const driver = new WalletDriver();
    driver.request({ want: 10n });
    driver.request({ want: 20n });
    driver.request({ want: 5n, model: 'other' });
    driver.answer(answer([], plenty, plenty));
    expect(askOf(driver.tick(limits.askAgainMs))).toMatchObject({ need: 30n, least: 10n, firstUsageId: 'request-0001' });
  });

  it('is served first-in first-out: a small request does not overtake a large one', () => {
    const driver = new WalletDriver();
    driver.request({ want: 50n });
    driver.request({ want: 1n });
    expect(kinds(driver.answer(answer([lease('a', 10n)])))).toEqual([]);
    expect(kinds(driver.request({ want: 1n }))).toEqual(['ask']);
    expect(kinds(driver.answer(answer([lease('b', 60n)], plenty, 0n, 10n)))).toEqual(['request-0001 holds 50', 'request-0003 holds 1', 'request-0005 holds 1']);
  });

  it('is served by what another request gives back', () => {
    const driver = driverWith([lease('a', 10n)]);
    const hold = driver.hold({ want: 8n });
    driver.request({ want: 9n });
    expect(driver.wallet.ask).not.toBeNull();
    expect(kinds(driver.release(hold, 1n))).toEqual(['request-0005 holds 9']);
    expect(driver.wallet.leases[0]).toMatchObject({ slice: 10n, free: 0n, held: 9n, settled: 1n });
  });

  it('is served when who stood before it has left', () => {
    const driver = driverWith([lease('a', 10n)]);
    driver.request({ want: 50n });
    driver.request({ want: 5n });
    cancelWait(driver.wallet, 'request-0003');
    expect(kinds(driver.tick(1))).toEqual(['request-0005 holds 5']);
  });

  it('is refused when too many wait already, whatever it wants', () => {
    const driver = driverWith([lease('a', 10n)]);
    for (let index = 0; index < limits.floorWaiters; index += 1) driver.request({ want: 50n });
    expect(kinds(driver.request({ want: 1n }))).toEqual(['request-0009 too_many_waiting']);
  });

  it('is refused at its deadline, not before, in its order', () => {
    const driver = new WalletDriver();
    driver.request({ want: 10n });
    driver.nowMs = 1;
    driver.request({ want: 10n });
    expect(kinds(driver.tick(limits.floorWaitMs - 2))).toEqual([]);
    expect(kinds(driver.tick(1))).toEqual(['request-0001 balance_held']);
    expect(kinds(driver.tick(1))).toEqual(['request-0003 balance_held']);
    expect(driver.wallet.waiters).toEqual([]);
  });

  it('asks again after a pause, under a new id, and only while somebody waits', () => {
    const driver = new WalletDriver();
    const first = askOf(driver.request({ want: 10n }))!;
    driver.answer(answer([], 0n, 50n));
    expect(driver.tick(limits.askAgainMs - 1)).toEqual([]);
    const second = askOf(driver.tick(1))!;
    expect(second).toMatchObject({ need: 10n, firstUsageId: 'request-0001' });
    expect(second.id).not.toBe(first.id);
    cancelWait(driver.wallet, 'request-0001');
    driver.answer(answer([], 0n, 50n));
    expect(driver.tick(limits.askAgainMs)).toEqual([]);
  });

  it('is told when its ask has failed for good', () => {
    const driver = new WalletDriver();
    driver.request({ want: 10n });
    driver.request({ want: 10n });
    expect(abandonAsk(driver.wallet)).toEqual(['request-0001', 'request-0003']);
    expect(isIdle(driver.wallet)).toBe(true);
  });
});

describe('the answer to an ask', () => {
  /** What becomes of a request that wants 10, at least 4, where grants have so much. */
  it.each<[string, { slice: bigint; available: bigint; elsewhere: bigint }, string[]]>([
    ['covers it', { slice: 10n, available: 0n, elsewhere: 0n }, ['request-0001 holds 10']],
    ['covers a part of it, and there is no more', { slice: 6n, available: 0n, elsewhere: 0n }, ['request-0001 holds 6']],
    ['covers a part of it, and the rest is there', { slice: 6n, available: 4n, elsewhere: 0n }, []],
    ['covers a part of it, and less than the rest is there', { slice: 6n, available: 3n, elsewhere: 0n }, ['request-0001 holds 6']],
    ['covers just its least part', { slice: 4n, available: 0n, elsewhere: 0n }, ['request-0001 holds 4']],
    ['covers less than its least part, and nobody else holds any', { slice: 3n, available: 0n, elsewhere: 0n }, ['request-0001 insufficient_quota']],
    ['covers less than its least part, and others hold the rest', { slice: 3n, available: 0n, elsewhere: 1n }, []],
    ['has nothing, and others hold too little', { slice: 0n, available: 0n, elsewhere: 3n }, ['request-0001 insufficient_quota']],
    ['has nothing, and others hold enough', { slice: 0n, available: 0n, elsewhere: 4n }, []],
    ['has nothing yet, though there is some', { slice: 0n, available: 4n, elsewhere: 0n }, []],
  ])('that %s', (_name, { slice, available, elsewhere }, expected) => {
    const driver = new WalletDriver();
    driver.request({ want: 10n, least: 4n });
    expect(kinds(driver.answer(answer(slice > 0n ? [lease('a', slice)] : [], available, elsewhere)))).toEqual(expected);
  });

  it('shrinks no request whose client set its maximum', () => {
    const driver = new WalletDriver();
    driver.request({ want: 10n });
    expect(kinds(driver.answer(answer([lease('a', 9n)], 0n, 1n)))).toEqual([]);
    expect(driver.wallet.waiters).toHaveLength(1);
  });

  it('refuses nobody for what this gateway itself holds for others', () => {
    const driver = driverWith([lease('a', 10n)], 0n);
    const hold = driver.hold({ want: 10n });
    driver.request({ want: 8n });
    expect(kinds(driver.answer(answer([], 0n, 0n, 10n)))).toEqual([]);
    // What was charged is gone for good: now it cannot be covered any more.
    driver.release(hold, 3n);
    driver.tick(limits.askAgainMs);
    expect(kinds(driver.answer(answer([], 0n, 0n, 10n)))).toEqual(['request-0005 insufficient_quota']);
  });

  it("says nothing of another model's grants: who waits for that is neither refused nor shrunk by it", () => {
    const driver = new WalletDriver();
    driver.request({ want: 10n, model: 'first' });
    driver.request({ want: 10n, least: 1n, model: 'second' });
    expect(kinds(driver.answer(answer([], 0n)))).toEqual(['request-0001 insufficient_quota']);
    expect(askOf(driver.tick(limits.askAgainMs))).toMatchObject({ model: 'second', need: 10n, least: 1n });
    expect(kinds(driver.answer(answer([lease('b', 10n, { models: ['second'] })])))).toEqual(['request-0003 holds 10']);
  });

  it("does not take leases for another model for this model's, when it reckons what others hold", () => {
    const driver = driverWith([lease('a', 100n, { models: ['first'] })]);
    driver.request({ want: 10n, model: 'second' });
    // 10 are leased of grants for the second model, all of it elsewhere.
    expect(kinds(driver.answer({ leases: [], available: 0n, leased: 10n }))).toEqual([]);
  });

  it("refuses for good where only another model's grants have any", () => {
    const driver = driverWith([lease('a', 100n, { models: ['first'] })]);
    driver.request({ want: 10n, model: 'second' });
    expect(kinds(driver.answer({ leases: [], available: 0n, leased: 0n }))).toEqual(['request-0003 insufficient_quota']);
  });

  it('without an ask is a mistake', () => {
    expect(() => new WalletDriver().answer(answer([]))).toThrow('an answer follows an ask');
  });
});

describe('settling', () => {
  it('takes a charge from the hold in burn order; the rest is free again', () => {
    const driver = driverWith([lease('a', 10n, { priority: 1 }), lease('b', 10n, { priority: 2 }), lease('c', 10n, { priority: 3 })]);
    const hold = driver.hold({ want: 25n });
    expect(allocate(hold, 13n)).toEqual([
      { leaseId: 'a', grantId: 'grant of a', amount: 10n },
      { leaseId: 'b', grantId: 'grant of b', amount: 3n },
    ]);
    driver.release(hold, 13n);
    expect(driver.wallet.leases.map(({ free, held, settled }) => [free, held, settled])).toEqual([[0n, 0n, 10n], [7n, 0n, 3n], [10n, 0n, 0n]]);
    expect(unspent(driver.wallet)).toBe(17n);
  });

  it('allocates nothing of a charge of nothing', () => {
    expect(allocate(driverWith([lease('a', 10n)]).hold({ want: 5n }), 0n)).toEqual([]);
  });

  it.each([6n, -1n])('refuses a charge of %s on a hold of 5', (charge) => {
    const hold = driverWith([lease('a', 10n)]).hold({ want: 5n });
    expect(() => allocate(hold, charge)).toThrow('a charge is never above its hold');
  });

  it('refuses to release more than was held', () => {
    const driver = driverWith([lease('a', 10n)]);
    const hold = driver.hold({ want: 5n });
    expect(() => driver.release(hold, 6n)).toThrow('a charge is never above its hold');
  });

  it('refuses to release a hold twice', () => {
    const driver = driverWith([lease('a', 10n)]);
    const hold = driver.hold({ want: 5n });
    driver.release(hold, 5n);
    expect(() => driver.release(hold, 5n)).toThrow('a lease adds up');
  });
});

describe('a wallet', () => {
  it('can be forgotten when nothing is leased, nobody waits and no ask is under way', () => {
    const driver = new WalletDriver();
    expect(isIdle(driver.wallet)).toBe(true);
    driver.request({ want: 5n });
    expect(isIdle(driver.wallet)).toBe(false);
    cancelWait(driver.wallet, 'request-0001');
    expect(isIdle(driver.wallet)).toBe(false);
    driver.answer(answer([lease('a', 5n)]));
    expect(isIdle(driver.wallet)).toBe(false);
  });

  it('knows nothing of the balance before an answer', () => {
    const driver = new WalletDriver();
    expect(driver.wallet.answered).toBeNull();
    driver.request({ want: 5n });
    driver.answer(answer([lease('a', 5n)]));
    expect(driver.wallet.answered).not.toBeNull();
  });
});

describe('a request that takes what there is', () => {
  const remainder = { want: 10n, least: 0n, remainder: true };

  it('holds the remainder once the grants have no more, and nothing where there is nothing', () => {
    const driver = driverWith([lease('a', 4n)], 0n);
    expect(kinds(driver.request(remainder))).toEqual(['request-0003 holds 4']);
    expect(kinds(driver.request(remainder))).toEqual(['request-0005 holds 0']);
  });

  it('asks the grants again after a second', () => {
    const driver = driverWith([], 0n);
    driver.nowMs = 999;
    expect(kinds(driver.request(remainder))).toEqual(['request-0003 holds 0']);
    driver.nowMs = 1_000;
    expect(kinds(driver.request(remainder))).toEqual(['ask']);
    expect(kinds(driver.answer(answer([lease('a', 3n)], 0n)))).toEqual(['request-0005 holds 3']);
  });

  it('is not refused when it has waited too long, but holds what is free', () => {
    const driver = new WalletDriver();
    driver.request(remainder);
    driver.nowMs = 100_000;
    expect(kinds(driver.tick(0))).toEqual(['request-0001 holds 0']);
  });

  it('could be covered later, until the grants are asked for its model after it came', () => {
    const driver = new WalletDriver();
    const could = (model: string, least: bigint, sinceMs: number): boolean => couldCover(driver.wallet, { model, least }, sinceMs, driver.nowMs);
    expect(could('small', 15n, 0)).toBe(true);
    driver.nowMs = 10;
    driver.request({ ...remainder, model: 'small' });
    driver.answer(answer([lease('a', 4n)], 0n, 10n));
    expect([could('small', 14n, 10), could('small', 15n, 10)]).toEqual([true, false]);
    expect([could('small', 15n, 11), could('large', 15n, 10)]).toEqual([true, true]);
  });

  it('a lease knows the oldest request that is still being funded elsewhere', () => {
    const driver = new WalletDriver();
    driver.wallet.oldestPending = 'request-0000';
    expect(askOf(driver.request({ want: 5n }))!.firstUsageId).toBe('request-0000');
  });
});
