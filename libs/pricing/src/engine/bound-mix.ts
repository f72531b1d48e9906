/**
 * The dearest mix of classes that share a number of units. Between two edges of a class its cost is linear or convex, so some dearest mix has all classes
 * but one at an edge, and that one takes the rest.
 */
import type { ClassCost } from './bound-class.js';
import { greatestDivisor } from './quantity.js';
import { greatest } from './shape.js';

export interface Mix {
  readonly denominator: bigint;
  /** Of at least `least` and at most `most` units in all. */
  dearest(least: bigint, most: bigint): bigint;
  /** The cost of every further unit where it is linear. */
  readonly slope: bigint | null;
  /** Half of it may be added by rounding, in 10⁻¹². */
  readonly slack: bigint;
}

/** Mixes of edges that are tried; above that each class is bounded by itself, which is never too low, and dear. */
const mixesMax = 5_000;

const commonMultiple = (a: bigint, b: bigint): bigint => (a / greatestDivisor(a, b)) * b;

interface Part {
  readonly of: ClassCost;
  readonly factor: bigint;
}

export const mixOf = (classes: readonly ClassCost[]): Mix => {
  const denominator = classes.reduce((common, { denominator: one }) => commonMultiple(common, one), 1n);
  const parts = classes.map((of): Part => ({ of, factor: denominator / of.denominator }));
  const slack = classes.reduce((sum, part) => sum + part.slack, 0n);
  const slopes = parts.flatMap(({ of, factor }) => (of.slope === null ? [] : [of.slope * factor]));
  const slope = greatest(slopes);
  const bent = parts.filter(({ of }) => of.slope === null);
  if (bent.length === 0) return { denominator, slack, slope, dearest: (_least, most) => slope * most };
  // Of the linear classes only the dearest one matters.
  const linear = parts.find(({ of, factor }) => of.slope !== null && of.slope * factor === slope);
  const tried = linear ? [...bent, linear] : bent;
  return { denominator, slack, slope: null, dearest: (least, most) => tryMixes(tried, least, most) ?? boundApart(tried, most) };
};

const boundApart = (parts: readonly Part[], most: bigint): bigint => parts.reduce((sum, { of, factor }) => sum + of.dearest(most) * factor, 0n);

const tryMixes = (parts: readonly Part[], least: bigint, most: bigint): bigint | null => {
  // One class alone takes all, or fewer where more costs less.
  if (parts.length === 1 && least <= 0n) return parts[0]!.of.dearest(most) * parts[0]!.factor;
  const edges = parts.map(({ of }) => of.edges(most));
  if (edges.some((list) => list === null)) return null;
  const known = edges as bigint[][];
  if (known.reduce((product, list) => product * Math.max(1, list.length), 1) * parts.length > mixesMax) return null;
  return greatest(parts.map((_, rest) => walk(parts, known, rest, 0, 0n, 0n, least, most)));
};

const walk = (parts: readonly Part[], edges: readonly bigint[][], rest: number, index: number, used: bigint, cost: bigint, least: bigint, most: bigint): bigint => {
  if (index === parts.length) return cost + dearestRest(parts[rest]!, edges[rest]!, least - used, most - used);
  if (index === rest) return walk(parts, edges, rest, index + 1, used, cost, least, most);
  const { of, factor } = parts[index]!;
  return greatest(edges[index]!.flatMap((edge) => (used + edge > most ? [] : [walk(parts, edges, rest, index + 1, used + edge, cost + of.cost(edge) * factor, least, most)])));
};

const dearestRest = ({ of, factor }: Part, edges: readonly bigint[], least: bigint, most: bigint): bigint => {
  const from = least > 0n ? least : 0n;
  const inside = of.slope === null ? edges.filter((edge) => edge > from && edge < most) : [];
  return greatest([from, ...inside, most].map((units) => of.cost(units))) * factor;
};
