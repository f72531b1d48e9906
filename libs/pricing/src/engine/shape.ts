import type { Money } from '@kilotoken/money';
import type { Quantity } from './quantity.js';

/**
 * A price as a function of a quantity. Costs are numerators over `divisor`, in 10⁻¹² of the currency: nothing is rounded here, so the caller
 * multiplies by discounts before it divides once.
 */
export interface Shape {
  readonly divisor: bigint;
  /** The cost of a whole quantity, from its first unit on. */
  cost(quantity: Quantity): bigint;
  /** The price that every unit after `from` up to `to` has; null where there are several, or other charges beside. */
  unitPrice(from: Quantity, to: Quantity): Money | null;
  /**
   * Quantities above 0 and up to `most` at which the cost jumps or bends: the last one of each piece and the first one of the next. Between two
   * neighbours the cost of whole units is linear. Null where there are more than `countMax`.
   */
  edges(most: Quantity, unit: Quantity, countMax: number): Quantity[] | null;
  /** The last quantities of pieces in which more never costs less. Absent where more never costs less anywhere. */
  peaks?(most: Quantity): Quantity[];
  /** The ends of steps, where the cost is linear between them. */
  readonly ends?: readonly Quantity[];
  /** At most what so many units more can cost beyond a level, wherever beyond; totals are multiples of `unit` above the level. */
  onTop(level: Quantity, quantity: Quantity, unit: Quantity): bigint;
}

/** A step of a tiered price: its units end at `upTo`, inclusive; null is open. Amounts are numerators over the divisor, `price` is as it was written. */
export interface Step {
  readonly upTo: Quantity | null;
  readonly amount: bigint;
  readonly flat: bigint;
  readonly price: Money;
}

/** The last unit of each closed step, and the one after. */
export const stepEdges = (steps: readonly { readonly upTo: Quantity | null }[], most: Quantity, unit: Quantity): Quantity[] =>
  steps.flatMap(({ upTo }) => {
    if (upTo === null || upTo > most) return [];
    // Counts of whole units reach the multiple of a unit below an edge, and the one above it.
    const last = upTo - (upTo % unit);
    return [last, last + unit].filter((edge) => edge > 0n && edge <= most);
  });

export const greatest = (values: readonly bigint[]): bigint => values.reduce((most, value) => (value > most ? value : most), 0n);
