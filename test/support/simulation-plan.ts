import type { UnitRequest } from '@kilotoken/funding';
import type { TokenClass } from '@kilotoken/contracts';
import type { Rate } from '@kilotoken/pricing';
import type { SeededRandom } from './seeded-random.js';
import type { GatewayLimits } from './simulated-gateway.js';
import type { SimulatedGrant } from './simulated-database.js';
import { costIn, type Counts, type RequestPlan, type UnitRates } from './simulated-request.js';

/**
 * What one schedule is made of, drawn from its seed. Each schedule has only some kinds of faults, so that rare meetings of two
 * of them are not drowned by all the others.
 */
const faultKinds = ['requestLost', 'answerLost', 'late', 'twice', 'deadlock', 'restart', 'kill', 'freeze', 'clock', 'expiry', 'poison', 'leave', 'topUp', 'upstream', 'abandon'] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface SimulationPlan {
  readonly faults: ReadonlySet<FaultKind>;
  readonly gateways: number;
  readonly organizations: readonly string[];
  readonly requests: number;
  /** A schedule far from the floor asks for spare parts; one at the floor waits, shrinks and refuses. */
  readonly grantMax: number;
  readonly wantMax: number;
  /** Pack units beside money. */
  readonly packs: readonly string[];
  readonly limits: GatewayLimits;
}

export const sessionTtlMs = 2_000;

const rate = (amount: bigint | null): Rate => ({ amount, per: 1n });
const rates = (input: bigint, output: bigint | null): ReadonlyMap<TokenClass, Rate> => new Map([['input', rate(input)], ['output', rate(output)]]);

/** The cost of a token in each unit. The input pack leaves output to other units. */
export const unitRates: UnitRates = new Map([['USD', rates(1n, 1n)], ['pack', rates(1n, 4n)], ['input-pack', rates(2n, null)]]);
export const coversAll = (unit: string): boolean => unitRates.get(unit)!.get('output')!.amount !== null;

export const drawPlan = (random: SeededRandom): SimulationPlan => {
  const packs = random.pick([[], [], ['pack'], ['input-pack'], ['pack', 'input-pack']]);
  // Many requests of one organization that wait for several units at once, and are tried again when something comes back or is added.
  const isCrowded = packs.length > 0 && random.chance(0.5);
  const faults = faultKinds.filter(() => random.chance(0.4));
  return {
    faults: new Set(isCrowded ? [...faults, 'topUp', 'kill'] : faults),
    gateways: random.between(1, isCrowded ? 2 : 3),
    organizations: Array.from({ length: isCrowded ? 1 : random.between(1, 3) }, (_, index) => `organization-${index}`),
    requests: random.between(6, 24),
    grantMax: isCrowded ? 20 : random.pick([20, 100, 2_000]),
    wantMax: isCrowded ? 10 : random.pick([3, 10, 30]),
    packs,
    limits: {
      floorWaitMs: isCrowded ? 1_500 : random.pick([300, 1_500]),
      floorWaiters: random.pick([2, 100]),
      idleLeaseMs: random.pick([200, 1_000]),
      idleLeaseNearFloorMs: random.pick([60, 250]),
      askAgainMs: 100,
      entriesMax: random.between(1, 6),
      bytesMax: random.pick([50, 1_000]),
      settleWaitMs: random.pick([500, 5_000]),
      openAfterMs: random.pick([50, 400]),
      checkpointMs: random.pick([100, 500]),
      returnRowsMax: random.pick([1, 50]),
    },
  };
};

type NewGrant = Pick<SimulatedGrant, 'organizationId' | 'id' | 'unit' | 'models' | 'rank' | 'granted'>;

export const drawGrant = (random: SeededRandom, plan: SimulationPlan, organizationId: string, id: string, nowMs: number): NewGrant => {
  const unit = random.chance(0.5) ? 'USD' : random.pick(['USD', ...plan.packs]);
  // A pack is soon used up, so that what is left of it is met often.
  const grantMax = unit === 'USD' ? plan.grantMax : Math.min(plan.grantMax, 2 * plan.wantMax);
  return {
    organizationId,
    id,
    unit,
    models: random.pick([null, null, ['small'], ['large']]),
    granted: BigInt(random.between(1, grantMax)),
    rank: {
      priority: random.between(1, unit === 'USD' && plan.packs.length > 0 ? 4 : 2),
      expiresAtMs: plan.faults.has('expiry') && random.chance(0.5) ? nowMs + random.between(100, 4_000) : null,
      promotional: random.chance(0.3),
      effectiveAtMs: nowMs,
      createdAtMs: nowMs,
    },
  };
};

export const drawRequest = (random: SeededRandom, plan: SimulationPlan, id: string): RequestPlan => {
  const tokens = random.between(0, plan.wantMax);
  const input = random.between(0, Math.floor(tokens / 3));
  const bounds = { input, output: tokens - input };
  // Where the client set its own maximum, less will not do.
  const least = { input, output: bounds.output === 0 || random.chance(0.5) ? bounds.output : random.between(1, bounds.output) };
  const exceeding = (count: number): number => random.between(0, Math.ceil(count * 1.2));
  return {
    id,
    organizationId: random.pick(plan.organizations),
    model: random.pick(['small', 'large']),
    units: drawUnits(random, plan, bounds, least),
    rates: unitRates,
    bounds,
    counts: { input: exceeding(input), output: exceeding(bounds.output) },
    steps: random.between(1, 4),
    isPoison: plan.faults.has('poison') && random.chance(0.25),
  };
};

/** Most requests are paid in one unit. Of several, packs come in any order and money last. */
const drawUnits = (random: SeededRandom, { packs }: SimulationPlan, bounds: Counts, least: Counts): RequestPlan['units'] => {
  const request = (unit: string): UnitRequest => ({ unit, want: costIn(unitRates.get(unit)!, bounds), least: costIn(unitRates.get(unit)!, least), covers: coversAll(unit) });
  const [first, second] = random.chance(0.5) ? packs : packs.toReversed();
  if (first === undefined || random.chance(0.4)) return [request(packs.includes('pack') && random.chance(0.2) ? 'pack' : 'USD')];
  return second !== undefined && random.chance(0.6) ? [request(first), request(second), request('USD')] : [request(first), request('USD')];
};
