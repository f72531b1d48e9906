import { describe, expect, it } from '@jest/globals';
import { SeededRandom } from '../support/seeded-random.js';
import { burnsBefore, SimulatedDatabase, type SimulatedGrant } from '../support/simulated-database.js';
import type { SimulatedFunds } from '../support/simulated-funds.js';
import { SimulatedGateway, type Surroundings } from '../support/simulated-gateway.js';
import { unitMutations } from '../support/simulated-unit-mutations.js';
import { SimulatedRequest } from '../support/simulated-request.js';
import { drawGrant, drawPlan, drawRequest, type SimulationPlan } from '../support/simulation-plan.js';

/**
 * Nothing goes wrong and nobody else spends: one organization, one gateway, one request. What is held of which grant is then known
 * from the grants alone, over all units.
 */
const seeds = 2_000;
const nowMs = 1_000_000;

/** A request on grants that its seed draws, after it was funded; null where it was refused. */
const fund = (seed: number, Funds?: typeof SimulatedFunds): { request: SimulatedRequest; grants: SimulatedGrant[] } | null => {
  const random = new SeededRandom(seed);
  const plan: SimulationPlan = { ...drawPlan(random), faults: new Set(), packs: ['pack', 'input-pack'], organizations: ['acme'], grantMax: 100, wantMax: 30 };
  const database = new SimulatedDatabase(nowMs);
  let minted = 0;
  const mintId = (): string => `id-${String((minted += 1)).padStart(4, '0')}`;
  const around: Surroundings = {
    nowMs: () => nowMs,
    mintId,
    send: (_gateway, { run }, receive) => receive({ value: run(database) }),
    after: () => undefined,
    ended: () => undefined,
    funded: () => undefined,
    refusedForGood: () => undefined,
  };
  database.startSession('session');
  const gateway = new SimulatedGateway('session', plan.limits, around, Funds);
  for (let index = random.between(1, 8); index > 0; index -= 1) {
    const grant = drawGrant(random, plan, 'acme', `grant-${index}`, nowMs);
    database.issueGrant({ ...grant, models: null, rank: { ...grant.rank, createdAtMs: index } });
  }
  const request = new SimulatedRequest(drawRequest(random, plan, mintId()), nowMs);
  gateway.admit(request);
  return request.holding ? { request, grants: [...database.grants.values()] } : null;
};

/** The grants in burn order, each up to what its unit still lacks, until a unit that covers the request lacks nothing. */
const expectedLegs = ({ plan }: SimulatedRequest, grants: readonly SimulatedGrant[]): string[] | null => {
  const missing = new Map(plan.units.map(({ unit, want }) => [unit, want]));
  const legs: string[] = [];
  for (const grant of [...grants].sort(burnsBefore)) {
    const lacks = missing.get(grant.unit) ?? 0n;
    const amount = grant.granted < lacks ? grant.granted : lacks;
    if (amount === 0n) continue;
    legs.push(`${grant.id} ${amount}`);
    missing.set(grant.unit, lacks - amount);
    if (amount === lacks && plan.units.some(({ unit, covers }) => covers && unit === grant.unit)) return legs;
  }
  return null;
};

/** The hold of each grant, in the order in which it is charged. */
const legsOf = (request: SimulatedRequest): string[] => {
  const { units, runs } = request.holding!;
  const left = units.map(({ hold }) => [...hold.parts]);
  return runs.flatMap(({ of, amount }) => {
    const legs: string[] = [];
    for (let rest = amount; rest > 0n; ) {
      const part = left[of]!.shift()!;
      legs.push(`${part.lease.grantId} ${part.amount}`);
      rest -= part.amount;
    }
    return legs;
  });
};

const findWrong = (Funds?: typeof SimulatedFunds): { wrong: unknown[]; covered: number; mixed: number; apart: number } => {
  const result = { wrong: [] as unknown[], covered: 0, mixed: 0, apart: 0 };
  for (let seed = 1; seed <= seeds; seed += 1) {
    const funded = fund(seed, Funds);
    const expected = funded && expectedLegs(funded.request, funded.grants);
    if (!funded || !expected) continue;
    const { units, runs } = funded.request.holding!;
    result.covered += 1;
    if (units.length > 1) result.mixed += 1;
    if (runs.length > units.length) result.apart += 1;
    const legs = legsOf(funded.request);
    if (legs.join() !== expected.join()) result.wrong.push({ seed, legs, expected });
  }
  return result;
};

describe('a request that several units may pay', () => {
  it('takes its legs in the burn order over all units, up to the first unit that covers it', () => {
    const { wrong, covered, mixed, apart } = findWrong();
    expect(wrong).toEqual([]);
    expect([covered > 500, mixed > 100, apart > 10]).toEqual([true, true, true]);
  });

  it.each(['units that burn one after another', 'a last run that holds only a remainder'])('the test finds %s', (name) => {
    expect(findWrong(unitMutations[name]!.Funds).wrong.length).toBeGreaterThan(0);
  });
});
