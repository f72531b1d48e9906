/**
 * All units at the price of the step that their total reaches, and its flat amount. With steps up to 5 at 7, up to 10 at 6.50 and 6 from there,
 * 12 units cost 12 × 6 = 72. Over an accumulator a line has the price of the step that the period's total reaches with it; at the period's end
 * a line of its own corrects the earlier ones.
 */
import type { Quantity } from './quantity.js';
import { greatest, stepEdges, type Shape, type Step } from './shape.js';

export interface VolumeShape extends Shape {
  stepAt(total: Quantity): Step;
  readonly steps: readonly Step[];
}

export const volumeShape = (steps: readonly Step[], divisor: bigint, flatAtZero: boolean): VolumeShape => {
  const stepAt = (total: Quantity): Step => steps.find(({ upTo }) => upTo === null || total <= upTo) ?? steps.at(-1)!;
  return {
    divisor,
    steps,
    stepAt,
    cost: (quantity) => {
      const { amount, flat } = stepAt(quantity);
      return quantity === 0n && !flatAtZero ? 0n : quantity * amount + flat;
    },
    unitPrice: (_from, to) => {
      const { flat, price } = stepAt(to);
      return flat === 0n ? price : null;
    },
    ends: steps.flatMap(({ upTo }) => (upTo === null ? [] : [upTo])),
    onTop: (_level, quantity) => quantity * greatest(steps.map(({ amount }) => amount)),
    peaks: (most) => steps.flatMap(({ upTo }) => (upTo === null || upTo > most ? [] : [upTo])),
    edges: (most, unit) => [...(unit <= most ? [unit] : []), ...stepEdges(steps, most, unit)],
  };
};
