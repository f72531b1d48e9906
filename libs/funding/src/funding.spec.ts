import { describe, expect, it } from '@jest/globals';
import { cancelFunding, receiveHold, retryFunding, startFunding, type Funding, type FundingEffect, type FundingRequest } from './funding.js';
import type { Hold, Lease } from './lease.js';
import type { Refusal } from './wallet.js';

const request: FundingRequest = {
  id: 'request-1',
  organizationId: 'acme',
  model: 'small',
  units: [
    { unit: 'pack', want: 100n, least: 100n, covers: true },
    { unit: 'USD', want: 7n, least: 7n, covers: true },
  ],
};

const leaseOf = (unit: string, priority: number): Lease => ({
  id: `lease-${unit}`, grantId: `grant-${unit}`, rank: { priority, expiresAtMs: null, promotional: false, effectiveAtMs: 0, createdAtMs: 0 }, models: null,
  slice: 1_000n, free: 0n, held: 0n, settled: 0n, usedAtMs: 0,
});
const packs = (amount: bigint): Hold => ({ id: request.id, total: amount, parts: amount > 0n ? [{ lease: leaseOf('pack', 1), amount }] : [] });
const money = (amount: bigint): Hold => ({ id: request.id, total: amount, parts: amount > 0n ? [{ lease: leaseOf('USD', 2), amount }] : [] });

const shown = (effects: readonly FundingEffect[]): string[] =>
  effects.map((effect) => {
    if (effect.kind === 'release') return `${effect.unit.unit} ${effect.unit.hold.total} back`;
    if (effect.kind === 'refused') return effect.reason;
    return effect.kind === 'funded' ? `funded ${effect.holding.runs.map(({ amount }) => amount).join(' + ')}` : effect.kind;
  });

const start = (): Funding => startFunding(request, 300).funding;
const receive = (funding: Funding, of: number, answer: Hold | Refusal, { nowMs = 0, couldCover = true } = {}): string[] => shown(receiveHold(funding, of, answer, nowMs, () => couldCover));

describe('a request that several units may pay', () => {
  it('asks every unit at once and is funded when the last has answered', () => {
    expect(shown(startFunding(request, 300).effects)).toEqual(['hold']);
    const funding = start();
    expect(receive(funding, 1, money(7n))).toEqual([]);
    expect(receive(funding, 0, packs(40n))).toEqual(['funded 40 + 7']);
  });

  it('gives back a unit that another one makes superfluous', () => {
    const funding = start();
    receive(funding, 0, packs(100n));
    expect(receive(funding, 1, money(7n))).toEqual(['USD 7 back', 'funded 100']);
  });

  it('gives everything back and tries again while something could come back', () => {
    const funding = start();
    receive(funding, 0, packs(40n));
    expect(receive(funding, 1, money(3n))).toEqual(['pack 40 back', 'USD 3 back', 'wait']);
    expect(shown(retryFunding(funding))).toEqual(['hold']);
    receive(funding, 0, packs(100n));
    expect(receive(funding, 1, money(0n))).toEqual(['USD 0 back', 'funded 100']);
  });

  it('is refused for good where nothing could come back', () => {
    const funding = start();
    receive(funding, 0, packs(40n));
    expect(receive(funding, 1, money(3n), { couldCover: false })).toEqual(['pack 40 back', 'USD 3 back', 'insufficient_quota']);
    expect(retryFunding(funding)).toEqual([]);
  });

  it('is refused as held once it has waited too long', () => {
    const funding = start();
    receive(funding, 0, packs(40n));
    expect(receive(funding, 1, money(3n), { nowMs: 300 })).toEqual(['pack 40 back', 'USD 3 back', 'balance_held']);
  });

  it('is refused, and holds nothing, when one wallet refuses', () => {
    const funding = start();
    expect(receive(funding, 0, 'too_many_waiting')).toEqual([]);
    expect(receive(funding, 1, money(7n))).toEqual(['USD 7 back', 'too_many_waiting']);
  });

  it('gives back what wallets answer after the client has left', () => {
    const funding = start();
    receive(funding, 0, packs(40n));
    expect(shown(cancelFunding(funding))).toEqual(['pack 40 back']);
    expect(receive(funding, 1, money(7n))).toEqual(['USD 7 back']);
    expect(cancelFunding(funding)).toEqual([]);
  });
});
