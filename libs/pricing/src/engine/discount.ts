/**
 * Discounts: percentages off a rate's cost. All that match multiply, in the order of the file, unless a row of the stacking table chooses the
 * best or the first of its discounts. A percentage with steps over an accumulator is the mean over the part of the steps that a line takes
 * (graduated), or the percentage of the step that the total reaches with it (volume). An accumulator of amounts is at list prices, before discounts.
 */
import { parseMoney, type Money } from '@kilotoken/money';
import type { BookDiscount, BookStacking, TieredPercent } from '../book/price-book.js';
import { lowestTerms, one, parseQuantity, type Fraction, type Quantity } from './quantity.js';
import type { Conditions } from './select.js';

export interface PercentSteps {
  readonly tiers: 'graduated' | 'volume';
  readonly steps: readonly { readonly upTo: Quantity | null; readonly left: bigint }[];
}

export interface Discount {
  readonly id: string;
  readonly index: number;
  readonly conditions: Conditions;
  /** Null where it depends on an accumulator. */
  readonly stage: Stage | null;
  readonly steps: PercentSteps | null;
  /** The accumulator of the steps; -1 without. */
  readonly accumulator: number;
}

const hundred = 100n * one;
const leftOf = (percent: string): bigint => hundred - parseMoney(percent);

export const compileDiscount = ({ id, percent }: BookDiscount, index: number, conditions: Conditions, accumulator: number): Discount => {
  if (typeof percent !== 'string') return { id, index, conditions, stage: null, steps: compileSteps(percent), accumulator };
  return { id, index, conditions, stage: { id, index, left: lowestTerms(leftOf(percent), hundred) }, steps: null, accumulator };
};

const compileSteps = ({ tiers, steps }: TieredPercent): PercentSteps => ({ tiers, steps: steps.map(({ up_to, percent }) => ({ upTo: up_to === undefined ? null : parseQuantity(up_to), left: leftOf(percent) })) });

/** The part that steps leave of a line which takes the accumulator from `level` to `level + measure`. */
export const leftBySteps = ({ tiers, steps }: PercentSteps, level: bigint, measure: bigint): Fraction => {
  const stepAt = (total: bigint): bigint => (steps.find(({ upTo }) => upTo === null || total <= upTo) ?? steps.at(-1)!).left;
  if (tiers === 'volume' || measure === 0n) return lowestTerms(stepAt(level + measure), hundred);
  let weighted = 0n;
  let from = level;
  const end = level + measure;
  for (const { upTo, left } of steps) {
    if (from >= end) break;
    const to = upTo === null || end < upTo ? end : upTo;
    if (to <= from) continue;
    weighted += (to - from) * left;
    from = to;
  }
  if (from < end) weighted += (end - from) * steps.at(-1)!.left;
  return lowestTerms(weighted, hundred * measure);
};

/** A discount that matches a line. */
export interface Stage {
  readonly id: string;
  readonly index: number;
  /** The part of a cost that the discount leaves. */
  readonly left: Fraction;
}

export interface StackingGroup {
  readonly combine: BookStacking['combine'];
  /** Positions in the book's discounts, in the order of the row. */
  readonly members: readonly number[];
}

const isLess = (a: Fraction, b: Fraction): boolean => a.numerator * b.denominator < b.numerator * a.denominator;

/** Applies the stacking table to the discounts that match a line. */
export const combineStages = (stages: Stage[], groups: readonly StackingGroup[]): Stage[] => {
  if (stages.length < 2) return stages;
  let kept = stages;
  for (const { combine, members } of groups) {
    if (combine === 'multiply') continue;
    const candidates = members.flatMap((member) => kept.find(({ index }) => index === member) ?? []);
    if (candidates.length < 2) continue;
    const chosen = combine === 'first' ? candidates[0]! : candidates.reduce((best, next) => (isLess(next.left, best.left) ? next : best));
    kept = kept.filter((stage) => stage === chosen || !candidates.includes(stage));
  }
  return kept;
};

export interface LineDiscount {
  readonly id: string;
  readonly amount: Money;
}

/** The largest part that steps leave of any line, from a level on. */
export const largestLeft = ({ steps }: PercentSteps, level: bigint): Fraction => {
  const reachable = steps.filter(({ upTo }, index) => upTo === null || upTo > level || index === steps.length - 1);
  return lowestTerms(reachable.reduce((most, { left }) => (left > most ? left : most), 0n), hundred);
};
