/**
 * Each unit at the price of the step that it falls in, and a flat amount for each step reached. With steps up to 5 at 7, up to 10 at 6.50 and
 * 6 from there, 12 units cost 5 × 7 + 5 × 6.50 + 2 × 6 = 79.50. `up_to` is inclusive and steps are continuous: of 5.5 units half of one is in
 * the second step.
 */
import type { Quantity } from './quantity.js';
import { greatest, stepEdges, type Shape, type Step } from './shape.js';

const costOf = (steps: readonly Step[], quantity: Quantity, flatAtZero: boolean): bigint => {
  if (quantity === 0n) return flatAtZero ? steps[0]!.flat : 0n;
  let cost = 0n;
  let from = 0n;
  for (const { upTo, amount, flat } of steps) {
    if (quantity <= from) break;
    const to = upTo === null || quantity < upTo ? quantity : upTo;
    cost += (to - from) * amount + flat;
    from = to;
  }
  return cost;
};

export const graduatedShape = (steps: readonly Step[], divisor: bigint, flatAtZero: boolean): Shape => ({
  divisor,
  ends: steps.flatMap(({ upTo }) => (upTo === null ? [] : [upTo])),
  cost: (quantity) => costOf(steps, quantity, flatAtZero),
  unitPrice: (from, to) => {
    const step = steps.find(({ upTo }) => upTo === null || from < upTo);
    if (!step || (step.upTo !== null && to > step.upTo)) return null;
    const isEntered = step.flat !== 0n && (from === 0n || steps.some(({ upTo }) => upTo === from));
    return isEntered ? null : step.price;
  },
  onTop: (level, quantity, unit) => {
    // The cost bends where either end of the quantity meets the end of a step.
    const starts = steps.flatMap(({ upTo }) => (upTo === null ? [] : [upTo, upTo - quantity, upTo - quantity + unit].flatMap((at) => [at, at - ((at - level) % unit)])));
    return greatest([level, ...starts.filter((start) => start >= level)].map((start) => costOf(steps, start + quantity, flatAtZero) - costOf(steps, start, flatAtZero)));
  },
  edges: (most, unit) => [...(unit <= most ? [unit] : []), ...stepEdges(steps, most, unit)],
});
