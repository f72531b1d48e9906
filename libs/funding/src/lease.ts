/**
 * A lease is a slice of a grant that one gateway may spend; a hold takes from leases in burn order, and a charge is paid by the
 * parts of its hold. Pure.
 */
import { assert } from './assert.js';
import type { Money } from '@kilotoken/money';

/** The place of a grant in the burn order: lower burns first. */
export interface BurnRank {
  priority: number;
  expiresAtMs: number | null;
  promotional: boolean;
  effectiveAtMs: number;
  createdAtMs: number;
}

export interface Lease {
  readonly id: string;
  readonly grantId: string;
  readonly rank: BurnRank;
  /** The models that its grant pays for; null is all. */
  readonly models: ReadonlySet<string> | null;
  slice: Money;
  free: Money;
  held: Money;
  settled: Money;
  usedAtMs: number;
}

export interface HoldPart {
  readonly lease: Lease;
  readonly amount: Money;
}

/** A request's worst-case cost, taken from leases in burn order. */
export interface Hold {
  readonly id: string;
  readonly total: Money;
  readonly parts: readonly HoldPart[];
}

/** The burn order of leases, over all units. Two endless expiries subtract to NaN, and `||` passes on to the next criterion. */
export const compareRank = (a: Lease, b: Lease): number =>
  a.rank.priority - b.rank.priority ||
  (a.rank.expiresAtMs ?? Infinity) - (b.rank.expiresAtMs ?? Infinity) ||
  Number(b.rank.promotional) - Number(a.rank.promotional) ||
  a.rank.effectiveAtMs - b.rank.effectiveAtMs ||
  a.rank.createdAtMs - b.rank.createdAtMs ||
  (a.grantId < b.grantId ? -1 : a.grantId > b.grantId ? 1 : a.id < b.id ? -1 : 1);

/** Whether a lease may pay for a model now. */
export const mayPay = ({ models, rank }: Lease, model: string, nowMs: number): boolean =>
  (models === null || models.has(model)) && (rank.expiresAtMs === null || nowMs < rank.expiresAtMs);

/** Free and held, whoever ends up with it. */
export const unspentOf = ({ free, held }: Lease): Money => free + held;

export interface Allocation {
  readonly leaseId: string;
  readonly grantId: string;
  readonly amount: Money;
}

/** Which leases pay a charge: a hold's parts in burn order. Zero amounts are left out. */
export const allocate = (hold: Hold, charge: Money): Allocation[] => {
  assert(charge >= 0n && charge <= hold.total, 'a charge is never above its hold');
  const allocations: Allocation[] = [];
  let left = charge;
  for (const { lease, amount } of hold.parts) {
    if (left === 0n) break;
    const paid = amount < left ? amount : left;
    allocations.push({ leaseId: lease.id, grantId: lease.grantId, amount: paid });
    left -= paid;
  }
  return allocations;
};
