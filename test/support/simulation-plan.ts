import type { SeededRandom } from './seeded-random.js';
import type { GatewayLimits } from './simulated-gateway.js';
import type { SimulatedGrant } from './simulated-database.js';
import type { RequestPlan } from './simulated-request.js';

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
  readonly limits: GatewayLimits;
}

export const sessionTtlMs = 2_000;

export const drawPlan = (random: SeededRandom): SimulationPlan => ({
  faults: new Set(faultKinds.filter(() => random.chance(0.4))),
  gateways: random.between(1, 3),
  organizations: Array.from({ length: random.between(1, 3) }, (_, index) => `organization-${index}`),
  requests: random.between(6, 24),
  grantMax: random.pick([20, 100, 2_000]),
  wantMax: random.pick([3, 10, 30]),
  limits: {
    floorWaitMs: random.pick([300, 1_500]),
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
});

type NewGrant = Pick<SimulatedGrant, 'organizationId' | 'id' | 'models' | 'rank' | 'granted'>;

export const drawGrant = (random: SeededRandom, plan: SimulationPlan, organizationId: string, id: string, nowMs: number): NewGrant => ({
  organizationId,
  id,
  models: random.pick([null, null, ['small'], ['large']]),
  granted: BigInt(random.between(1, plan.grantMax)),
  rank: {
    priority: random.between(1, 2),
    expiresAtMs: plan.faults.has('expiry') && random.chance(0.5) ? nowMs + random.between(100, 4_000) : null,
    promotional: random.chance(0.3),
    effectiveAtMs: nowMs,
    createdAtMs: nowMs,
  },
});

export const drawRequest = (random: SeededRandom, plan: SimulationPlan, id: string): RequestPlan => {
  const want = BigInt(random.between(0, plan.wantMax));
  const worth = BigInt(random.between(0, Math.ceil(Number(want) * 1.2)));
  return {
    id,
    organizationId: random.pick(plan.organizations),
    model: random.pick(['small', 'large']),
    want,
    // Where the client set its own maximum, less will not do.
    least: want === 0n || random.chance(0.5) ? want : BigInt(random.between(1, Number(want))),
    worth,
    steps: random.between(1, 4),
    isPoison: plan.faults.has('poison') && random.chance(0.25),
  };
};
