/** A price a unit: 1,200 tokens at 0.15 per 1,000,000 cost 0.00018. */
import type { Money } from '@kilotoken/money';
import { lowestTerms, one } from './quantity.js';
import type { Shape } from './shape.js';

export interface UnitShape extends Shape {
  /** The cost of 10⁻¹² of a unit, over the divisor. Both in lowest terms, so that the numbers of a long division stay short. */
  readonly factor: bigint;
  /** As it was written, for `per` units. */
  readonly price: Money;
}

export const unitShape = (amount: Money, per: bigint): UnitShape => {
  const { numerator: factor, denominator: divisor } = lowestTerms(amount, per * one);
  return {
    divisor,
    factor,
    price: amount,
    cost: (quantity) => quantity * factor,
    unitPrice: () => amount,
    edges: () => [],
    onTop: (_level, quantity) => quantity * factor,
  };
};
