import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { addReturns, collectReturns, createReturnQueue, finishReturns, startReturns } from './returning.js';
import { allocate, type Hold } from './lease.js';
import { cancelWait, createWallet, receiveAnswer, releaseHold, requestHold, tickWallet, type Ask, type Wallet, type WalletEffect } from './wallet.js';

/**
 * One wallet and two grants, under whatever sequence of calls: requests, answers, settlements, departures, returns, time.
 * The grants are sums on paper here; `test/concurrency/interleavings.spec.ts` has the whole machine.
 */
const limits = { floorWaitMs: 300, floorWaiters: 4, idleLeaseMs: 500, idleLeaseNearFloorMs: 100, askAgainMs: 50 };
const models = ['small', 'large'];

type Step =
  | { kind: 'request'; want: number; least: number; model: number; remainder: boolean }
  | { kind: 'settle'; which: number; part: number }
  | { kind: 'leave'; which: number }
  | { kind: 'answer' }
  | { kind: 'return' }
  | { kind: 'tick'; afterMs: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('request' as const), want: fc.nat(20), least: fc.nat(20), model: fc.nat(1), remainder: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('settle' as const), which: fc.nat(20), part: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave' as const), which: fc.nat(20) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('answer' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('return' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('tick' as const), afterMs: fc.nat(200) }) },
);

class World {
  readonly wallet: Wallet = createWallet(limits, 0);
  readonly grants: { id: string; models: string[] | null; available: bigint; leased: bigint }[];
  readonly holds: Hold[] = [];
  readonly waiting: { id: string; deadlineMs: number }[] = [];
  private readonly remainders = new Set<string>();
  readonly leaseGrants = new Map<string, string>();
  /** What the grants believe that each lease has. */
  readonly slices = new Map<string, bigint>();
  private readonly returns = createReturnQueue(2);
  private ask: Ask | null = null;
  private nowMs = 0;
  private minted = 0;
  spent = 0n;

  constructor(first: number, second: number) {
    this.grants = [
      { id: 'grant-1', models: null, available: BigInt(first), leased: 0n },
      { id: 'grant-2', models: ['large'], available: BigInt(second), leased: 0n },
    ];
  }

  run(given: Step): void {
    if (given.kind === 'request') this.request(given.want, given.least, models[given.model]!, given.remainder);
    else if (given.kind === 'settle') this.settle(given.which, given.part);
    else if (given.kind === 'leave') this.leave(given.which);
    else if (given.kind === 'answer') this.answerAsk();
    else if (given.kind === 'return') this.returnLeases();
    else if (given.kind === 'tick') {
      this.nowMs += given.afterMs;
      this.perform(tickWallet(this.wallet, this.mint(), this.nowMs));
      expect(this.waiting.filter(({ deadlineMs }) => this.nowMs >= deadlineMs)).toEqual([]);
      addReturns(this.returns, 'acme', collectReturns(this.wallet, new Set(), this.nowMs));
    }
  }

  private mint(): string {
    return `id-${String((this.minted += 1)).padStart(6, '0')}`;
  }

  private request(want: number, least: number, model: string, remainder: boolean): void {
    const id = this.mint();
    this.waiting.push({ id, deadlineMs: this.nowMs + limits.floorWaitMs });
    if (remainder) this.remainders.add(id);
    const request = { id, model, want: BigInt(want), least: remainder || want === 0 ? 0n : BigInt(Math.max(1, Math.min(want, least))), remainder };
    const effects = requestHold(this.wallet, request, this.mint(), this.nowMs);
    const refusedAtOnce = effects.some((effect) => effect.kind === 'refused' && effect.reason === 'too_many_waiting');
    if (refusedAtOnce) this.waiting.pop();
    this.perform(effects.filter((effect) => effect.kind !== 'refused'));
  }

  private settle(which: number, part: number): void {
    const [hold] = this.holds.splice(which % (this.holds.length || 1), 1);
    if (!hold) return;
    const charge = (hold.total * BigInt(part)) / 4n;
    expect(allocate(hold, charge).reduce((sum, { amount }) => sum + amount, 0n)).toBe(charge);
    this.spent += charge;
    this.perform(releaseHold(this.wallet, hold, charge, this.nowMs));
  }

  private leave(which: number): void {
    const [left] = this.waiting.splice(which % (this.waiting.length || 1), 1);
    if (left) cancelWait(this.wallet, left.id);
  }

  /** As `lease_take`, without the eighth. */
  private answerAsk(): void {
    const { ask } = this;
    if (!ask) return;
    this.ask = null;
    const paying = this.grants.filter((grant) => grant.models === null || grant.models.includes(ask.model));
    const total = paying.reduce((sum, { available }) => sum + available, 0n);
    let left = total >= ask.least ? ask.need + ask.spare : 0n;
    const leases = paying.flatMap((grant, index) => {
      const slice = left < grant.available ? left : grant.available;
      if (slice === 0n) return [];
      grant.available -= slice;
      grant.leased += slice;
      left -= slice;
      const leaseId = this.mint();
      this.leaseGrants.set(leaseId, grant.id);
      return [{ leaseId, grantId: grant.id, slice, models: grant.models, rank: { priority: index, expiresAtMs: null, promotional: false, effectiveAtMs: 0, createdAtMs: 0 } }];
    });
    const sum = (field: 'available' | 'leased'): bigint => paying.reduce((amount, grant) => amount + grant[field], 0n);
    this.perform(receiveAnswer(this.wallet, { leases, available: sum('available'), leased: sum('leased') }, this.nowMs));
  }

  private returnLeases(): void {
    for (const { leaseId, keep, close } of startReturns(this.returns)) {
      const grant = this.grants.find(({ id }) => id === this.leaseGrants.get(leaseId))!;
      const slice = this.slices.get(leaseId)!;
      expect(keep).toBeLessThanOrEqual(slice);
      grant.available += slice - keep;
      grant.leased -= close ? slice : slice - keep;
      this.slices.set(leaseId, close ? 0n : keep);
    }
    finishReturns(this.returns);
  }

  /** Whoever leaves the queue was its head: first-in first-out. */
  private perform(effects: readonly WalletEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'ask') {
        expect(this.ask).toBeNull();
        this.ask = effect.ask;
        continue;
      }
      expect(this.waiting.shift()?.id).toBe(effect.kind === 'admitted' ? effect.hold.id : effect.id);
      if (effect.kind === 'refused') expect(this.remainders.has(effect.id)).toBe(false);
      if (effect.kind === 'admitted') this.holds.push(effect.hold);
    }
    for (const { id, slice } of this.wallet.leases) if (!this.slices.has(id)) this.slices.set(id, slice);
  }

  check(granted: bigint): void {
    const held = new Map<string, bigint>();
    for (const hold of this.holds) for (const { lease, amount } of hold.parts) held.set(lease.id, (held.get(lease.id) ?? 0n) + amount);
    for (const lease of this.wallet.leases) {
      expect(lease.slice).toBe(lease.free + lease.held + lease.settled);
      expect(lease.free >= 0n && lease.settled >= 0n).toBe(true);
      expect(lease.held).toBe(held.get(lease.id) ?? 0n);
      expect(lease.slice <= this.slices.get(lease.id)!).toBe(true);
    }
    const open = this.holds.reduce((sum, { total }) => sum + total, 0n);
    // Never more held and spent than was granted.
    expect(open + this.spent <= granted).toBe(true);
    expect(this.wallet.waiters.map(({ id }) => id)).toEqual(this.waiting.map(({ id }) => id));
  }
}

it('whatever is called in whatever order: leases add up, nobody overtakes, and no more is held than was granted', () => {
  fc.assert(
    fc.property(fc.nat(120), fc.nat(60), fc.array(step, { maxLength: 80 }), (first, second, steps) => {
      const world = new World(first, second);
      for (const given of steps) {
        world.run(given);
        world.check(BigInt(first + second));
      }
    }),
    { numRuns: 400 },
  );
});
