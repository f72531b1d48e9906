import { SeededRandom } from './seeded-random.js';

/** What a soak breaks, and when: the same seed plans the same faults at the same moments. */

export const soakFaults = [
  'gateway is killed',
  'gateway kills itself at a failpoint',
  'gateway is frozen for a moment',
  'gateway is frozen beyond its session',
  'gateway is drained and replaced',
  'metering is killed',
  'metering is frozen for a moment',
  'Postgres stops at once and starts again',
  'connections are ended by the server',
  'answers to settles are lost',
  'settles never arrive',
  'the wire to Postgres is slow and in pieces',
  'the wire to Postgres is cut',
  'a vendor fails',
  'a vendor breaks its answers off',
  'a vendor counts wrongly',
  'clients leave',
  'a small grant expires under load',
] as const;
export type SoakFault = (typeof soakFaults)[number];

export const soakFailpoints = ['after_hold', 'after_open', 'first_byte', 'checkpoint', 'before_commit', 'after_commit', 'before_terminal'] as const;

export interface SoakStep {
  readonly atMs: number;
  readonly fault: SoakFault;
  /** Which of the gateways, or of the vendors. */
  readonly target: number;
  /** How long it lasts, where it lasts. */
  readonly lastsMs: number;
  readonly failpoint: (typeof soakFailpoints)[number];
  /** How often the failpoint is passed before it strikes. */
  readonly failpointAt: number;
}

/** Two faults are never further apart: the issue of a soak is that they meet. */
export const soakGapMsMax = 5_000;
const gapMsMin = 1_500;
const gapMs = 3_500;
/** The load runs before the first fault and after the last one. */
const calmMs = 2_000;

export const planSoak = (seed: number, durationMs: number, targets: number): SoakStep[] => {
  const random = new SeededRandom(seed);
  const steps: SoakStep[] = [];
  let deck: SoakFault[] = [];
  for (let atMs = calmMs; atMs <= durationMs - calmMs; atMs += random.between(gapMsMin, gapMs)) {
    // Every fault once before one comes again, each time in another order: their neighbours differ.
    if (deck.length === 0) deck = shuffle(soakFaults, random);
    steps.push({
      atMs,
      fault: deck.pop()!,
      target: random.below(targets),
      lastsMs: random.between(300, 2_000),
      failpoint: random.pick(soakFailpoints),
      failpointAt: random.between(1, 25),
    });
  }
  return steps;
};

const shuffle = <Item>(items: readonly Item[], random: SeededRandom): Item[] => {
  const shuffled = [...items];
  for (let last = shuffled.length - 1; last > 0; last -= 1) {
    const other = random.below(last + 1);
    [shuffled[last], shuffled[other]] = [shuffled[other]!, shuffled[last]!];
  }
  return shuffled;
};
