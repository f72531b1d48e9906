/**
 * A hold over several units. Pure. Each unit that may pay a request holds what it can, up to the request's worst case in that
 * unit; from these holds the legs that are kept are chosen here, in burn order over all units:
 *
 *   qwen-pack   400 units left, priority 50     worst case 1,000
 *   USD         10, priority 100                worst case 0.003
 *   kept        [qwen-pack 400] [USD 0.003]     the pack's remainder, and the whole worst case in the unit after it
 *
 * A run is a stretch of legs of one unit in that order. The last run is the one that covers the whole worst case alone, so that
 * whatever whole tokens the runs before it leave over, it pays: no charge is ever above the hold.
 */
import type { Money } from '@kilotoken/money';
import { allocate, compareRank, type Allocation, type Hold, type HoldPart } from './wallet.js';

/** What one unit may pay of a request. */
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

/** What is held for one request, over all units. Most have one unit and one run. */
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

/** The runs up to the first that covers the worst case in its unit. */
const uptoCovering = (requests: readonly UnitRequest[], runs: readonly Run[]): Run[] | null => {
  const last = runs.findIndex(({ of, amount }) => requests[of]!.covers && amount >= requests[of]!.want);
  return last < 0 ? null : runs.slice(0, last + 1);
};

/**
 * Near the floor: all legs of one unit together are the last run, whatever lies between them in the burn order. A unit that covers the
 * whole worst case goes before one that covers a smaller answer, and a later unit, which is money, before packs.
 */
const endingIn = (requests: readonly UnitRequest[], holds: readonly Hold[], legs: readonly Leg[]): Run[] | null => {
  const last = (['want', 'least'] as const)
    .map((measure) => requests.findLastIndex((request, of) => request.covers && holds[of]!.total >= request[measure] && (holds[of]!.total > 0n || request.want === 0n)))
    .find((of) => of >= 0);
  if (last === undefined) return null;
  return [...runsOf(legs.filter(({ of }) => of !== last)), { of: last, amount: holds[last]!.total }];
};

/** The legs to keep of what each unit holds, `holds[i]` for `requests[i]`; null where no unit covers enough. What is not kept goes back. */
export const chooseLegs = (requests: readonly UnitRequest[], holds: readonly Hold[]): { readonly holding: Holding; readonly spare: readonly UnitHold[] } | null => {
  const legs = inBurnOrder(holds);
  const runs = uptoCovering(requests, runsOf(legs)) ?? endingIn(requests, holds, legs);
  if (!runs) return null;
  const all = holds.map((hold, of) => ({ unit: requests[of]!.unit, hold }));
  const kept = [...new Set(runs.map(({ of }) => of))];
  return {
    holding: { id: holds[0]!.id, units: kept.map((of) => all[of]!), runs: runs.map(({ of, amount }) => ({ of: kept.indexOf(of), amount })) },
    spare: all.filter((_, of) => !kept.includes(of)),
  };
};

/** Which leases pay the charges of a holding, `charges[i]` in `units[i]`: in each unit in burn order. */
export const allocateCharges = ({ units }: Holding, charges: readonly Money[]): readonly (readonly Allocation[])[] =>
  units.map(({ hold }, of) => allocate(hold, charges[of]!));
