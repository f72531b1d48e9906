import { randomInt } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { mutations } from '../support/simulated-mutations.js';
import { Simulation, type Parts } from '../support/simulation.js';
import { interleavingSeed } from '../support/test-settings.js';

/**
 * The production machine of hold, settle and reap (libs/funding's wallet, returning, settlement and reaping)
 * under schedules that seeds draw: what runs next, what is lost, late or executed again, who dies and when. A seed that
 * breaks an invariant is printed with what happened, and replays: INTERLEAVING_SEED=… npm test -- interleavings
 */
const knownSeeds = 3_000;
const newSeeds = 1_000;
const seedsPerMutationMax = 2_000;
const eventsShown = 80;
const schedulesMsMax = 400_000;

const findViolation = (seed: number, parts?: Parts): Error | null => {
  try {
    new Simulation(seed, parts).run();
    return null;
  } catch (error) {
    return error as Error;
  }
};

/** The same schedule once more, with what happened in it. */
const explain = (seed: number): string => {
  const simulation = new Simulation(seed, {}, true);
  try {
    simulation.run();
    return `seed ${seed} breaks nothing`;
  } catch (error) {
    return [...simulation.trace.slice(-eventsShown), `seed ${seed}: ${(error as Error).stack}`, `replay: INTERLEAVING_SEED=${seed} npm test -- interleavings`].join('\n');
  }
};

const runSeeds = (seeds: readonly number[]): void => {
  const failing = seeds.find((seed) => findViolation(seed) !== null);
  if (failing !== undefined) throw new Error(explain(failing));
};

const range = (first: number, count: number): number[] => Array.from({ length: count }, (_, index) => first + index);

describe('whatever meets whatever', () => {
  it(
    'every grant stays conserved, nobody is told of success before its commit or billed twice, and everything ends',
    () => {
      if (interleavingSeed !== undefined) return runSeeds([interleavingSeed]);
      runSeeds(range(1, knownSeeds));
      runSeeds(range(randomInt(2 ** 31), newSeeds));
    },
    schedulesMsMax,
  );
});

describe('the schedules', () => {
  const ends = ['success', 'insufficient_quota', 'balance_held', 'too_many_waiting', 'left', 'error', 'lost'];
  const events = [
    /late: lease_take/, /late: lease_return/, /late: settle/, /late: checkpoint/, /answer to settle.*unknown/, /answer to settle.*23514/, /KT001/, /40P01/,
    /thaws/, /is killed/, /restarts/, /the reaper ends .*"billed":[1-9]/,
  ];
  const seen = new Map<string, number>();
  const count = (what: string, happened: boolean): void => void seen.set(what, (seen.get(what) ?? 0) + Number(happened));

  it('are the same for the same seed', () => {
    const traces = [7, 7, 8].map((seed) => {
      const simulation = new Simulation(seed, {}, true);
      simulation.run();
      return simulation.trace.join('\n');
    });
    expect(traces[0]).toBe(traces[1]);
    expect(traces[0]).not.toBe(traces[2]);
  });

  it('meet everything that they are there to meet', () => {
    for (const seed of range(1, 300)) {
      const simulation = new Simulation(seed, {}, true);
      simulation.run();
      for (const request of simulation.requests) {
        const { end, refusal, holding, plan, opened } = request;
        count(`a request that ends: ${refusal ?? end}`, true);
        const of = plan.units.length > 1 ? ' of several units' : '';
        count('a hold over several leases', holding?.units.some(({ hold }) => hold.parts.length > 1) ?? false);
        count(`a hold that was shrunk${of}`, holding !== null && request.last.held < request.last.unit.want);
        count(`an answer worth more than its hold${of}`, holding !== null && end === 'success' && request.portionsOf(plan.counts).some(({ rated, charge }) => rated > charge));
        count(`a request that ends: ${refusal ?? end}${of}`, true);
        count('a request that is funded at a later try', holding !== null && request.tries > 1);
        count('a charge in two units', request.charges !== null && request.charges.filter((charge) => charge > 0n).length === 2);
        count('a request that was opened', opened);
      }
      const { trace, database } = simulation;
      for (const what of events) count(String(what), trace.some((event) => what.test(event)));
      count('a grant that expired', [...database.grants.values()].some(({ expired }) => expired > 0n));
      count('a request in quarantine', database.quarantine.size > 0);
    }
    for (const end of ends) expect([end, seen.has(`a request that ends: ${end}`)]).toEqual([end, true]);
    expect([...seen].filter(([, times]) => times < 10)).toEqual([]);
  });
});

describe('a mistake is found:', () => {
  it.each(Object.keys(mutations))('%s', (name) => {
    const found = range(1, seedsPerMutationMax).find((seed) => findViolation(seed, mutations[name]) !== null);
    expect(found).toBeDefined();
  });
});
