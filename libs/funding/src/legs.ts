/**
 * A hold over several units. Pure. Each unit that may pay a request holds what it can, up to the request's worst case in that
 * unit; from these holds the legs that are kept are chosen here, in burn order over all units:
 *
 *   qwen-pack   400 units left, priority 50     worst case 1,000
 *   USD         10, priority 100                worst case 0.003
 *   kept        [qwen-pack 400] [USD 0.003]     the pack's remainder, and the whole worst case in the unit after it
 *
 * A run is a stretch of legs of one unit in that order. The unit of the last run holds its whole worst case, in all its runs together,
 * so it pays whatever whole tokens the runs before it leave over: no charge is ever above the hold.
 */
import type { Money } from '@kilotoken/money';
import { allocate, compareRank, type Allocation, type Hold, type HoldPart } from './lease.js';

/** One unit's share in a request: the most it may pay. */
export interface UnitRequest {
  readonly unit: string;
  /** The worst case in this unit, and the least that is worth running; both of the classes that the unit covers. */
  readonly want: Money;
  readonly least: Money;
  /** Whether the unit covers every class that the lanes can return: only such a unit can be the last. */
  readonly covers: boolean;
}

export interface UnitHold {
  readonly unit: string;
  readonly hold: Hold;
}

/** A stretch of the burn order in one unit; `of` is the index of the unit among `Holding.units`. */
export interface Run {
  readonly of: number;
  readonly amount: Money;
}

/** The holds of one request over all units. Most have one unit and one run. */
export interface Holding {
  readonly id: string;
  readonly units: readonly UnitHold[];
  /** In burn order; the last one covers what the others leave over. */
  readonly runs: readonly Run[];
}

export const holdingOf = (unit: string, hold: Hold): Holding => ({ id: hold.id, units: [{ unit, hold }], runs: [{ of: 0, amount: hold.total }] });

interface Leg {
  readonly of: number;
  readonly part: HoldPart;
}

const inBurnOrder = (holds: readonly Hold[]): Leg[] =>
  holds.flatMap((hold, of) => hold.parts.map((part) => ({ of, part }))).sort((a, b) => compareRank(a.part.lease, b.part.lease));

const runsOf = (legs: readonly Leg[]): Run[] => {
  const runs: { of: number; amount: Money }[] = [];
  for (const { of, part } of legs) {
    const last = runs.at(-1);
    if (last?.of === of) last.amount += part.amount;
    else runs.push({ of, amount: part.amount });
  }
  return runs;
};

/** The legs to keep, in the order in which they pay, and the unit that pays what the others leave over. */
interface Kept {
  readonly legs: readonly Leg[];
  readonly last: number;
}

/** The legs up to the one with which a unit holds its worst case, all its runs together. */
const uptoCovering = (requests: readonly UnitRequest[], legs: readonly Leg[]): Kept | null => {
  const missing = requests.map(({ want }) => want);
  const index = legs.findIndex(({ of, part }) => (missing[of]! -= part.amount) <= 0n && requests[of]!.covers);
  return index < 0 ? null : { legs: legs.slice(0, index + 1), last: legs[index]!.of };
};

/**
 * Near the floor: all legs of one unit that covers a smaller answer together are the last run, whatever lies between them in the burn
 * order. A later unit, which is money, goes before packs.
 */
const endingIn = (requests: readonly UnitRequest[], holds: readonly Hold[], legs: readonly Leg[]): Kept | null => {
  const last = requests.findLastIndex(({ covers, want, least }, of) => covers && holds[of]!.total >= least && (holds[of]!.total > 0n || want === 0n));
  if (last < 0) return null;
  return { legs: [...legs.filter(({ of }) => of !== last), ...legs.filter(({ of }) => of === last)], last };
};

const holdOf = (id: string, parts: readonly HoldPart[]): Hold => ({ id, parts, total: parts.reduce((sum, { amount }) => sum + amount, 0n) });

/** The legs to keep of what each unit holds, `holds[i]` for `requests[i]`; null where no unit covers enough. What is not kept goes back. */
export const chooseLegs = (requests: readonly UnitRequest[], holds: readonly Hold[]): { readonly holding: Holding; readonly spare: readonly UnitHold[] } | null => {
  const legs = inBurnOrder(holds);
  const kept = uptoCovering(requests, legs) ?? endingIn(requests, holds, legs);
  if (!kept) return null;
  const runs = runsOf(kept.legs);
  if (runs.at(-1)?.of !== kept.last) runs.push({ of: kept.last, amount: 0n });
  const { id } = holds[0]!;
  const keptParts = new Set(kept.legs.map(({ part }) => part));
  const unitHold = (of: number, isKept: boolean): UnitHold => ({ unit: requests[of]!.unit, hold: holdOf(id, holds[of]!.parts.filter((part) => keptParts.has(part) === isKept)) });
  const units = [...new Set(runs.map(({ of }) => of))];
  return {
    holding: { id, units: units.map((of) => unitHold(of, true)), runs: runs.map(({ of, amount }) => ({ of: units.indexOf(of), amount })) },
    spare: holds.map((_, of) => unitHold(of, false)).filter(({ hold }, of) => hold.parts.length > 0 || !units.includes(of)),
  };
};

/** Which leases pay the charges of a holding, `charges[i]` in `units[i]`: in each unit in burn order. */
export const allocateCharges = ({ units }: Holding, charges: readonly Money[]): readonly (readonly Allocation[])[] =>
  units.map(({ hold }, of) => allocate(hold, charges[of]!));
