import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { addReturns, collectReturns, createReturnQueue, finishReturns, startReturns, unreturned } from './returning.js';
import type { Hold } from './lease.js';
import { createWallet, receiveAnswer, releaseHold, requestHold, type Wallet } from './wallet.js';

const limits = { floorWaitMs: 1_000, floorWaiters: 10, idleLeaseMs: 5_000, idleLeaseNearFloorMs: 250, askAgainMs: 100 };
const none: ReadonlySet<string> = new Set();

interface LeaseOf {
  slice: bigint;
  expiresAtMs?: number;
}

/** A wallet with leases of these slices, of which one hold has been taken, far from the floor unless said otherwise. */
const walletWith = (leases: readonly LeaseOf[], want: bigint, { available = 1_000_000n } = {}): { wallet: Wallet; hold: Hold } => {
  const wallet = createWallet(limits, 0);
  requestHold(wallet, { id: 'request-1', model: 'mock', want, least: want }, 'ask-1', 0);
  const granted = leases.map(({ slice, expiresAtMs }, index) => ({
    leaseId: `lease-${index}`,
    grantId: `grant-${index}`,
    slice,
    models: null,
    rank: { priority: index, expiresAtMs: expiresAtMs ?? null, promotional: false, effectiveAtMs: 0, createdAtMs: 0 },
  }));
  const [first] = receiveAnswer(wallet, { leases: granted, available, leased: leases.reduce((sum, { slice }) => sum + slice, 0n) }, 0);
  if (first?.kind !== 'admitted') throw new Error('the leases do not cover the hold');
  return { wallet, hold: first.hold };
};

describe('a lease', () => {
  it('that is in use stays', () => {
    const { wallet } = walletWith([{ slice: 100n }], 10n);
    expect(collectReturns(wallet, none, limits.idleLeaseMs - 1)).toEqual([]);
    expect(wallet.leases[0]).toMatchObject({ slice: 100n, free: 90n, held: 10n });
  });

  it('that is idle gives back what is free, and keeps what is held and settled', () => {
    const { wallet, hold } = walletWith([{ slice: 100n }], 10n);
    releaseHold(wallet, hold, 7n, 0);
    const second = requestHold(wallet, { id: 'request-2', model: 'mock', want: 5n, least: 5n }, 'ask-2', 0);
    expect(second[0]).toMatchObject({ kind: 'admitted' });
    expect(collectReturns(wallet, none, limits.idleLeaseMs)).toEqual([{ leaseId: 'lease-0', keep: 12n, close: false }]);
    expect(wallet.leases[0]).toMatchObject({ slice: 12n, free: 0n, held: 5n, settled: 7n });
  });

  it('that went back still counts for what the organization can spend, unless its grant has expired', () => {
    const after = (expiresAtMs?: number): bigint => {
      const { wallet } = walletWith([{ slice: 100n, ...(expiresAtMs === undefined ? {} : { expiresAtMs }) }], 10n, { available: 50n });
      collectReturns(wallet, none, limits.idleLeaseMs);
      return wallet.available;
    };
    expect([after(), after(limits.idleLeaseMs + 1), after(limits.idleLeaseMs)]).toEqual([140n, 140n, 50n]);
  });

  it('is idle from its last use on, be that a hold or a release', () => {
    const { wallet } = walletWith([{ slice: 100n }], 10n);
    const [second] = requestHold(wallet, { id: 'request-2', model: 'mock', want: 5n, least: 5n }, 'ask-2', 3_000);
    expect(collectReturns(wallet, none, 3_000 + limits.idleLeaseMs - 1)).toEqual([]);
    if (second?.kind === 'admitted') releaseHold(wallet, second.hold, 5n, 7_999);
    expect(collectReturns(wallet, none, 7_999 + limits.idleLeaseMs - 1)).toEqual([]);
    expect(collectReturns(wallet, none, 7_999 + limits.idleLeaseMs)).toHaveLength(1);
  });

  it('that is idle and free of holds is closed with what it settled, and forgotten', () => {
    const { wallet, hold } = walletWith([{ slice: 100n }], 10n);
    releaseHold(wallet, hold, 7n, 0);
    expect(collectReturns(wallet, none, limits.idleLeaseMs)).toEqual([{ leaseId: 'lease-0', keep: 7n, close: true }]);
    expect(wallet.leases).toEqual([]);
  });

  it('that is used up is closed at once', () => {
    const { wallet, hold } = walletWith([{ slice: 10n }], 10n);
    expect(collectReturns(wallet, none, 0)).toEqual([]);
    releaseHold(wallet, hold, 10n, 0);
    expect(collectReturns(wallet, none, 0)).toEqual([{ leaseId: 'lease-0', keep: 10n, close: true }]);
  });

  it('goes back soon where money is short', () => {
    const { wallet, hold } = walletWith([{ slice: 100n }], 10n, { available: 0n });
    releaseHold(wallet, hold, 0n, 0);
    expect(collectReturns(wallet, none, limits.idleLeaseNearFloorMs - 1)).toEqual([]);
    expect(collectReturns(wallet, none, limits.idleLeaseNearFloorMs)).toEqual([{ leaseId: 'lease-0', keep: 0n, close: true }]);
  });

  it('of a grant that has expired goes back, and what is held of it may still settle', () => {
    const { wallet, hold } = walletWith([{ slice: 100n, expiresAtMs: 50 }], 10n);
    expect(collectReturns(wallet, none, 49)).toEqual([]);
    expect(collectReturns(wallet, none, 50)).toEqual([{ leaseId: 'lease-0', keep: 10n, close: false }]);
    releaseHold(wallet, hold, 4n, 51);
    expect(collectReturns(wallet, none, 51)).toEqual([{ leaseId: 'lease-0', keep: 4n, close: true }]);
  });

  it('that another gateway recalls gives back what is free, and says so when that is nothing', () => {
    const { wallet } = walletWith([{ slice: 6n }, { slice: 10n }], 8n);
    expect(collectReturns(wallet, new Set(['lease-0', 'lease-1', 'unknown']), 0)).toEqual([
      { leaseId: 'lease-0', keep: 6n, close: false },
      { leaseId: 'lease-1', keep: 2n, close: false },
    ]);
  });

  it('is not given back twice', () => {
    const { wallet } = walletWith([{ slice: 100n }], 10n);
    collectReturns(wallet, none, limits.idleLeaseMs);
    expect(collectReturns(wallet, none, limits.idleLeaseMs * 2)).toEqual([]);
  });
});

describe('the queue of returns', () => {
  const row = (leaseId: string, keep: bigint, close = false) => ({ leaseId, keep, close });

  it('executes the same batch until it is known to be done, whatever comes meanwhile', () => {
    const queue = createReturnQueue(10);
    addReturns(queue, 'acme', [row('a', 5n)]);
    const batch = startReturns(queue);
    addReturns(queue, 'acme', [row('a', 3n, true), row('b', 1n)]);
    expect(startReturns(queue)).toBe(batch);
    expect(batch).toEqual([{ organizationId: 'acme', ...row('a', 5n) }]);
    expect(unreturned(queue)).toBe(3);
    finishReturns(queue);
    expect(startReturns(queue)).toEqual([
      { organizationId: 'acme', ...row('a', 3n, true) },
      { organizationId: 'acme', ...row('b', 1n) },
    ]);
  });

  it('is empty when all is known to be done', () => {
    const queue = createReturnQueue(10);
    expect(startReturns(queue)).toEqual([]);
    addReturns(queue, 'acme', [row('a', 5n)]);
    startReturns(queue);
    finishReturns(queue);
    expect(startReturns(queue)).toEqual([]);
    expect(unreturned(queue)).toBe(0);
  });

  it('names a lease once a batch, with its last word, in batches of at most rowsMax', () => {
    const returns = fc.array(fc.tuple(fc.integer({ min: 0, max: 8 }), fc.integer({ min: 0, max: 3 })), { maxLength: 60 });
    fc.assert(
      fc.property(returns, fc.integer({ min: 1, max: 5 }), (steps, rowsMax) => {
        const queue = createReturnQueue(rowsMax);
        const remaining = new Map<string, bigint>();
        const executed = new Map<string, bigint>();
        const execute = (): void => {
          const batch = startReturns(queue);
          expect(batch.length).toBeLessThanOrEqual(rowsMax);
          expect(new Set(batch.map(({ leaseId }) => leaseId)).size).toBe(batch.length);
          for (const { leaseId, keep } of batch) executed.set(leaseId, keep);
          finishReturns(queue);
        };
        for (const [lease, action] of steps) {
          const leaseId = `lease-${lease}`;
          const keep = (remaining.get(leaseId) ?? 100n) - 1n;
          remaining.set(leaseId, keep);
          addReturns(queue, 'acme', [row(leaseId, keep)]);
          if (action === 0) execute();
        }
        while (unreturned(queue) > 0) execute();
        expect(executed).toEqual(remaining);
      }),
    );
  });
});
