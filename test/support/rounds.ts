/**
 * Two conditions measured in turn, on a machine that others use too: what one half of a run is slowed by slows the other
 * half alike, and one bad round does not decide.
 */
export interface Round {
  readonly without: number;
  readonly with: number;
}

export async function measureRounds(rounds: number, without: () => Promise<number>, withIt: () => Promise<number>): Promise<Round[]> {
  const measured: Round[] = [];
  for (let round = 0; round < rounds; round += 1) measured.push({ without: await without(), with: await withIt() });
  return measured;
}

const SETS_MAX = 3;

/** Further sets of rounds until one is as it is claimed to be: what the machine does to one it does not do to each. */
export const measureSets = async (isAsClaimed: (rounds: readonly Round[]) => boolean, measure: () => Promise<Round[]>): Promise<{ last: Round[]; all: Round[] }> => {
  const all: Round[] = [];
  let last: Round[] = [];
  for (let set = 0; set < SETS_MAX && (set === 0 || !isAsClaimed(last)); set += 1) all.push(...(last = await measure()));
  return { last, all };
};

/** The shortest of several rounds: what the machine slows is quick in one of them, what we slow in none. */
export const shortestMs = async (rounds: number, measure: () => Promise<number>): Promise<number> => {
  let shortest = Infinity;
  for (let round = 0; round < rounds; round += 1) shortest = Math.min(shortest, await measure());
  return shortest;
};

/** The median of what the second condition is to the first. */
export const medianRatio = (rounds: readonly Round[]): number => {
  const ratios = rounds.map((round) => round.with / round.without).sort((a, b) => a - b);
  return ratios[Math.floor(ratios.length / 2)]!;
};

export const percentile = (values: readonly number[], share: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)]!;
};
