/** The cost of one class within a bound, as a function of its whole units: exact where the request alone decides, the dearest reachable one over a counter. */
import { stepOf, type Rounding } from '@kilotoken/money';
import { divideUp, lowestTerms, one, type Fraction, type Quantity } from './quantity.js';
import { dividedCost, requestCost, type RateCost } from './rate-cost.js';
import { greatest, type Step } from './shape.js';

export interface ClassCost {
  /** Costs are numerators over it, in 10⁻¹². */
  readonly denominator: bigint;
  /** Of so many whole units. */
  cost(units: bigint): bigint;
  /** The dearest of all numbers of units up to so many. */
  dearest(units: bigint): bigint;
  /** The cost of every unit where the cost is nothing but that; else null. */
  readonly slope: bigint | null;
  /** Numbers of units between which the cost is linear or convex; null where there are too many. */
  edges(units: bigint): bigint[] | null;
  /** Rounding makes a line dearer by at most half of this, in 10⁻¹². */
  readonly slack: bigint;
}

/** Above this many edges a class is bounded by itself. */
const edgesMax = 400;

/** Twice the amount by which rounding can lift a line: half a step to the nearest, a whole one upwards. */
const slackOf = (rounding: Rounding | null): bigint => {
  if (!rounding) return 1n;
  const step = stepOf(rounding);
  return (rounding.mode === 'up' ? 2n * step : rounding.mode === 'down' ? 0n : step) + 1n;
};

/** A cost that does not depend on counters. */
export const requestClassCost = (rateCost: RateCost, left: Fraction): ClassCost => {
  const { flat, rounding, shape, divide } = rateCost;
  const denominator = shape.divisor * left.denominator;
  if (flat) {
    const { numerator: slope, denominator: reduced } = lowestTerms(flat.factor * one * left.numerator, denominator);
    return { denominator: reduced, slope, cost: (units) => units * slope, dearest: (units) => units * slope, edges: () => [0n], slack: reduced === 1n ? 0n : 1n };
  }
  const cost = (units: bigint): bigint => requestCost(rateCost, units * one) * left.numerator;
  return {
    denominator,
    slope: null,
    cost,
    dearest: (units) => {
      const most = divide ? divide(units * one) : units * one;
      // Whole units: the one at a peak, or the last one below it.
      const peaks = (shape.peaks?.(most) ?? []).map((peak) => peak - (peak % one));
      return greatest([0n, most, ...peaks].map((quantity) => dividedCost(rateCost, quantity) * left.numerator));
    },
    edges: (units) => edgesOf(rateCost, units, cost),
    slack: rounding || denominator !== 1n ? slackOf(rounding) : 0n,
  };
};

const edgesOf = (rateCost: RateCost, units: bigint, cost: (units: bigint) => bigint): bigint[] | null => {
  const { shape, divide, beginOf, maximum } = rateCost;
  const found = beginOf ? multiplesOf(beginOf, divide!(units * one) / one) : shape.edges(units * one, one, edgesMax)?.map((edge) => edge / one);
  if (!found) return null;
  const edges = [...new Set([0n, 1n, ...found, units])].filter((edge) => edge <= units).sort((a, b) => (a < b ? -1 : 1));
  return maximum === null ? edges : edges.flatMap((edge, index) => [edge, ...whereItStops(edge, edges[index + 1], cost)]);
};

const multiplesOf = (beginOf: (divided: bigint) => bigint, multiples: bigint): bigint[] | undefined =>
  multiples > BigInt(edgesMax) ? undefined : Array.from({ length: Number(multiples) }, (_, index) => beginOf(BigInt(index + 1))).flatMap((begin) => [begin - 1n, begin]);

/** The units around the place between two edges from which on a maximum keeps the cost from rising. */
const whereItStops = (edge: bigint, next: bigint | undefined, cost: (units: bigint) => bigint): bigint[] => {
  if (next === undefined || cost(edge) >= cost(next)) return [];
  const top = cost(next);
  let [below, reached] = [edge, next];
  while (reached - below > 1n) {
    const middle = (below + reached) / 2n;
    if (cost(middle) < top) below = middle;
    else reached = middle;
  }
  return [below, reached];
};

/** A counter at admission. Others may take it further before the request is rated. */
export interface Standing {
  readonly counted: Quantity;
  /** Nothing was rated on it; for a price by volume, nothing of this rate. */
  readonly isNew: boolean;
  /** Whether it counts whole units only. */
  readonly isWhole: boolean;
  /** Charged before at list price, by a rate with a maximum. */
  readonly list: bigint;
}

/** At the dearest place on a counter, from where it stands on. */
export const counterClassCost = (rateCost: RateCost, left: Fraction, standings: readonly Standing[]): ClassCost => {
  const { shape, divideBy, maximum, rounding } = rateCost;
  const costs = standings.map((standing) => costFrom(rateCost, standing));
  // Where the quantity is divided, so many begun parts are the most that it can add.
  const dividedOf = (units: bigint): Quantity => (divideBy === null ? units * one : divideUp(units * one, divideBy) * one);
  const costOf = (quantity: Quantity): bigint => greatest(costs.map((from) => from(quantity))) * left.numerator;
  const lengths = lengthsOf(rateCost, standings);
  const edges = divideBy !== null || maximum !== null || !shape.ends ? null : lengths.flatMap((length) => [length / one, length / one + 1n]);
  return {
    denominator: shape.divisor * left.denominator,
    slope: null,
    cost: (units) => costOf(dividedOf(units)),
    // By volume more may cost less: up to the end of each step is tried.
    dearest: (units) => greatest([dividedOf(units), ...lengths.filter((length) => length < dividedOf(units)).map((length) => length - (length % one))].map(costOf)),
    edges: (units) => edges && [...new Set([0n, 1n, ...edges, units])].filter((edge) => edge <= units),
    // A difference of two rounded totals, each of which may be off by half a step, or the one before by a whole one.
    slack: rounding ? 2n * stepOf(rounding) + 2n : 2n,
  };
};

const levelOf = ({ divideBy }: RateCost, { counted }: Standing): Quantity => (divideBy === null ? counted : (counted / divideBy) * one);

/** The lengths between two ends of steps, or from where a counter stands to one: there the dearest place may bend. */
const lengthsOf = (rateCost: RateCost, standings: readonly Standing[]): Quantity[] => {
  const ends = rateCost.shape.ends ?? [];
  const from = [...ends, ...standings.map((standing) => levelOf(rateCost, standing))];
  return ends.flatMap((end) => from.flatMap((begin) => (end > begin ? [end - begin] : [])));
};

const costFrom = (rateCost: RateCost, standing: Standing): ((quantity: Quantity) => bigint) => {
  const { shape, volume, maximum, base, divideBy } = rateCost;
  const { isNew, isWhole, list } = standing;
  const room = maximum === null ? null : (maximum > list ? maximum - list : 0n) * shape.divisor;
  const level = levelOf(rateCost, standing);
  return (quantity) => {
    // The total of a divided quantity may be less than the level and the parts begun.
    const total = divideBy === null ? level + quantity : level;
    const opened = isNew ? (volume ? byVolume(volume.steps, total, quantity, true) : shape.cost(level + quantity)) + base * shape.divisor : 0n;
    const later = volume ? byVolume(volume.steps, total, quantity, false) : shape.onTop(level, quantity, isWhole || divideBy !== null ? one : 1n);
    const dearest = greatest([opened, later]);
    return room !== null && dearest > room ? room : dearest;
  };
};

/** At the dearest step that a total of at least so much may reach. The first line has the step's flat amount, too. */
const byVolume = (steps: readonly Step[], total: Quantity, quantity: Quantity, isFirst: boolean): bigint =>
  greatest(steps.flatMap(({ upTo, amount, flat }, index) => (upTo === null || upTo >= total || index === steps.length - 1 ? [quantity * amount + (isFirst ? flat : 0n)] : [])));
