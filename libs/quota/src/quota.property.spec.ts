import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SimulatedLimits } from '../../../test/support/simulated-limits.js';
import { whole, type Limit } from './limit.js';
import { createQuota, type Exchange, type Quota, type QuotaEffect, type Reservation } from './quota-state.js';
import { endReservation, receiveStates, recallCounter, requestReservation, tickQuota } from './quota.js';

/**
 * Gateways that reserve under common limits, in any interleaving of requests, exchanges whose answers are lost and that are
 * executed again, late, of processes that die and are reaped. The database is simulated; everything else is production code.
 */
const times = { waitMs: 600, answerMs: 1_500, waitersMax: 50, askAgainMs: 100, shortMs: 250, returnMs: 250, idleMs: 2_000, idleNearLimitMs: 250, forgetMs: 5_000, restMs: 10_000, rowsMax: 20, countersMax: 50 };

const limitOf = (id: string, more: Partial<Limit>): Limit => ({
  id, subjectKind: 'organization', subjectId: 'org', measure: 'tokens', unit: 'count', windowKind: 'rolling', windowMs: 10_000, amount: whole(100), mode: 'hard', ...more,
});

interface Admitted {
  readonly reservation: Reservation;
  readonly limitIds: Set<string>;
  readonly gateway: Gateway;
  amount: bigint;
  state: 'running' | 'ended' | 'lost';
}

interface Gateway {
  session: string;
  quota: Quota;
  exchange: Exchange | null;
}

class World {
  nowMs = 1_790_000_000_000;
  private minted = 0;
  readonly admitted: Admitted[] = [];
  readonly gateways: Gateway[];
  readonly database: SimulatedLimits;
  /** Everything that was ever sent, to be executed again at any time. */
  readonly sent: { session: string; exchange: Exchange }[] = [];
  refused = 0;

  constructor(readonly limits: readonly Limit[], gateways = 2) {
    this.database = new SimulatedLimits(limits);
    this.gateways = Array.from({ length: gateways }, () => this.newGateway());
  }

  mint = (): string => String((this.minted += 1)).padStart(12, '0');

  newGateway = (): Gateway => ({ session: this.mint(), quota: createQuota(times), exchange: null });

  perform(gateway: Gateway, effects: readonly QuotaEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'refused') this.refused += 1;
      if (effect.kind === 'exchange') {
        expect(gateway.exchange).toBeNull();
        gateway.exchange = effect.exchange;
      }
      if (effect.kind !== 'reserved') continue;
      const { reservation } = effect;
      const amount = reservation.parts.reduce((most, part) => (part.amount > most ? part.amount : most), 0n);
      this.admitted.push({ reservation, limitIds: new Set(reservation.parts.map(({ counter }) => counter.limit.id)), gateway, amount, state: 'running' });
      this.expectWithinLimits();
    }
  }

  ask(gateway: Gateway, tokens: number): void {
    const needs = this.limits.map((limit) => {
      const want = limit.measure === 'tokens' ? whole(tokens) : whole(1);
      return { limit, subject: 'org', want, least: want };
    });
    this.perform(gateway, requestReservation(gateway.quota, { id: this.mint(), needs }, this.mint(), this.nowMs));
  }

  /** Executes what a gateway has sent; its answer may get lost. */
  execute(gateway: Gateway, isLost: boolean): void {
    const { exchange, session } = gateway;
    if (!exchange) return;
    this.sent.push({ session, exchange });
    const answer = this.database.exchange(session, exchange, this.nowMs);
    if (isLost || answer === 'reaped') return;
    gateway.exchange = null;
    this.perform(gateway, receiveStates(gateway.quota, answer, this.mint(), this.nowMs));
  }

  end(entry: Admitted, tokens: number | null): void {
    if (entry.state !== 'running') return;
    const { reservation, gateway } = entry;
    entry.state = 'ended';
    // Given back whole: it was never admitted.
    if (tokens === null) entry.limitIds.clear();
    const used = tokens === null ? null : ({ measure }: Limit) => (measure === 'requests' ? whole(1) : measure === 'concurrency' ? 0n : whole(tokens));
    entry.amount = tokens === null ? 0n : whole(tokens) < entry.amount ? whole(tokens) : entry.amount;
    this.perform(gateway, endReservation(gateway.quota, reservation, used, this.nowMs));
  }

  tick(gateway: Gateway): void {
    for (const { limitId, subject } of this.database.recalled(gateway.session)) recallCounter(gateway.quota, limitId, subject);
    this.perform(gateway, tickQuota(gateway.quota, this.mint(), this.nowMs));
  }

  /** A gateway dies; its reaper knows what its usage rows say, and nothing of those that left none. */
  kill(index: number): void {
    const dead = this.gateways[index]!;
    const left = this.admitted.filter(({ gateway }) => gateway === dead);
    for (const entry of left) if (entry.state === 'running') Object.assign(entry, { state: 'lost', amount: 0n });
    this.database.reap(dead.session, (limit, _subject, startMs, endMs) =>
      limit.windowKind === 'day' && limit.measure === 'tokens'
        ? left.reduce((sum, { reservation, amount, state }) => (state === 'ended' && reservation.atMs >= startMs && reservation.atMs < endMs ? sum + amount : sum), 0n)
        : null,
    );
    this.gateways[index] = this.newGateway();
  }

  /** In every interval that ends now, what ended requests used and running ones may use is within the limit. */
  private expectWithinLimits(): void {
    for (const limit of this.limits) {
      const counts = ({ reservation, state }: Admitted): boolean => {
        if (limit.windowKind === 'none') return state === 'running';
        if (limit.windowKind === 'rolling') return reservation.atMs > this.nowMs - limit.windowMs;
        return Math.floor(reservation.atMs / 86_400_000) === Math.floor(this.nowMs / 86_400_000);
      };
      const sum = this.admitted.filter((entry) => counts(entry) && entry.limitIds.has(limit.id)).reduce((total, { amount }) => total + (limit.measure === 'tokens' ? amount : whole(1)), 0n);
      expect(sum).toBeLessThanOrEqual(limit.amount);
    }
    for (const { quota } of this.gateways) {
      for (const counters of quota.counters.values()) {
        for (const { slices } of counters.values()) for (const { free, held, used } of slices) expect(free >= 0n && held >= 0n && used >= 0n).toBe(true);
      }
    }
  }
}

type Step = (world: World) => void;
const gatewayIndex = fc.nat({ max: 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(gatewayIndex, fc.integer({ min: 1, max: 40 })).map(([index, tokens]): Step => (world) => world.ask(world.gateways[index]!, tokens)) },
  { weight: 8, arbitrary: fc.tuple(gatewayIndex, fc.boolean()).map(([index, lost]): Step => (world) => world.execute(world.gateways[index]!, lost)) },
  { weight: 6, arbitrary: fc.tuple(fc.nat(), fc.option(fc.nat({ max: 45 }))).map(([pick, tokens]): Step => (world) => {
    if (world.admitted.length > 0) world.end(world.admitted[pick % world.admitted.length]!, tokens);
  }) },
  { weight: 6, arbitrary: gatewayIndex.map((index): Step => (world) => world.tick(world.gateways[index]!)) },
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 4_000 }).map((ms): Step => (world) => void (world.nowMs += ms)) },
  { weight: 1, arbitrary: gatewayIndex.map((index): Step => (world) => world.kill(index)) },
  { weight: 2, arbitrary: fc.nat().map((pick): Step => (world) => {
    const late = world.sent[pick % Math.max(1, world.sent.length)];
    if (late) world.database.exchange(late.session, late.exchange, world.nowMs);
  }) },
);

const limitSets: readonly (readonly [string, readonly Limit[]])[] = [
  ['a rolling window of tokens', [limitOf('t', {})]],
  ['a rolling window of requests', [limitOf('r', { measure: 'requests', amount: whole(4) })]],
  ['a short rolling window', [limitOf('r', { measure: 'requests', amount: whole(3), windowMs: 1_000 })]],
  ['a day of tokens', [limitOf('d', { windowKind: 'day', windowMs: 0, amount: whole(150) })]],
  ['concurrency', [limitOf('c', { measure: 'concurrency', windowKind: 'none', windowMs: 0, amount: whole(3) })]],
  ['all at once', [limitOf('t', {}), limitOf('r', { measure: 'requests', amount: whole(6) }), limitOf('d', { windowKind: 'day', windowMs: 0, amount: whole(300) }), limitOf('c', { measure: 'concurrency', windowKind: 'none', windowMs: 0, amount: whole(3) })]],
];

/** Lets everything happen that is still to happen: requests end, answers arrive, windows pass. */
const settle = (world: World): void => {
  for (const entry of world.admitted) world.end(entry, 1);
  for (let round = 0; round < 60; round += 1) {
    for (const gateway of world.gateways) {
      world.tick(gateway);
      world.execute(gateway, false);
    }
    for (const entry of world.admitted) world.end(entry, 1);
    world.nowMs += 1_000;
  }
};

describe.each(limitSets)('%s', (_name, limits) => {
  it('is never exceeded in any interval by two gateways, whatever is lost, late, repeated or killed', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 150 }), (steps) => {
        const world = new World(limits);
        for (const run of steps) run(world);
      }),
      { numRuns: 150 },
    );
  });

  it('is whole again when all has ended: no gateway keeps anything, and the whole limit can be used', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 100 }), (steps) => {
        const world = new World(limits);
        for (const run of steps) run(world);
        settle(world);
        expect(world.gateways.every(({ quota, exchange }) => exchange === null && quota.waiters.length === 0)).toBe(true);
        // What a day's window has counted stays counted; of what is beyond that, nothing is held.
        const day = limits.some(({ windowKind }) => windowKind === 'day');
        if (!day) {
          for (const limit of limits) expect([limit.id, world.database.takenNow(limit, 'org', world.nowMs)]).toEqual([limit.id, 0n]);
          expect(world.database.slices()).toEqual([]);
        }
        world.nowMs += 86_400_000;
        const before = world.admitted.length;
        world.ask(world.gateways[0]!, 10);
        world.execute(world.gateways[0]!, false);
        expect(world.admitted.length).toBe(before + 1);
      }),
      { numRuns: 60 },
    );
  });
});
