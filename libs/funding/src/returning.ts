/**
 * How money that a wallet does not need goes back to its grants. Pure.
 *
 * A return says what a lease keeps, an absolute amount, so executing one again changes nothing. One batch is under way at a
 * time, the same one until it is known to be done; what comes meanwhile waits, one row a lease.
 */
import type { Money } from '@kilotoken/money';
import { mayPay } from './lease.js';
import type { Wallet } from './wallet.js';

/** Shrink a lease to `keep`; `close` when nothing of it is free or held any more: then `keep` is what it has settled. */
export interface LeaseReturn {
  readonly leaseId: string;
  readonly keep: Money;
  readonly close: boolean;
}

/**
 * Collects the leases to return now: used up, expired or idle ones, and those that another gateway recalls. Their free part
 * stops being spendable here with this call; the caller executes the returns until they are known to be done.
 */
export const collectReturns = (wallet: Wallet, recalled: ReadonlySet<string>, nowMs: number): LeaseReturn[] => {
  const idleMs = wallet.nearFloor ? wallet.limits.idleLeaseNearFloorMs : wallet.limits.idleLeaseMs;
  const returns: LeaseReturn[] = [];
  for (const lease of wallet.leases) {
    const over = lease.rank.expiresAtMs !== null && nowMs >= lease.rank.expiresAtMs;
    const idle = nowMs - lease.usedAtMs >= idleMs;
    const giveBack = lease.free > 0n && (over || idle || recalled.has(lease.id));
    if (giveBack) {
      // The last answer about the grants stays true without another ask.
      if (wallet.answered && mayPay(lease, wallet.answered.model, nowMs)) wallet.available += lease.free;
      lease.slice -= lease.free;
      lease.free = 0n;
    }
    const close = lease.free === 0n && lease.held === 0n;
    if (close || giveBack || recalled.has(lease.id)) returns.push({ leaseId: lease.id, keep: lease.slice, close });
  }
  for (let index = wallet.leases.length - 1; index >= 0; index -= 1) {
    const lease = wallet.leases[index]!;
    if (lease.free === 0n && lease.held === 0n) wallet.leases.splice(index, 1);
  }
  return returns;
};

export interface ReturnRow extends LeaseReturn {
  readonly organizationId: string;
}

export interface ReturnQueue {
  readonly rowsMax: number;
  /** By lease: a later return of a lease says all that an earlier one did. */
  readonly pending: Map<string, ReturnRow>;
  underWay: readonly ReturnRow[];
}

export const createReturnQueue = (rowsMax: number): ReturnQueue => ({ rowsMax, pending: new Map(), underWay: [] });

export const addReturns = (queue: ReturnQueue, organizationId: string, returns: readonly LeaseReturn[]): void => {
  for (const row of returns) queue.pending.set(row.leaseId, { organizationId, ...row });
};

/** The batch to execute now: the one whose outcome is not known, else the next; empty when there is nothing to return. */
export const startReturns = (queue: ReturnQueue): readonly ReturnRow[] => {
  if (queue.underWay.length > 0) return queue.underWay;
  queue.underWay = [...queue.pending.values()].slice(0, queue.rowsMax);
  for (const { leaseId } of queue.underWay) queue.pending.delete(leaseId);
  return queue.underWay;
};

/** The batch under way is known to be done. */
export const finishReturns = (queue: ReturnQueue): void => {
  queue.underWay = [];
};

/** Returns that are not known to be done. */
export const unreturned = (queue: ReturnQueue): number => queue.pending.size + queue.underWay.length;
