/** Each begun package at one price, after free units: of 201 units with 100 free, packages of 100 cost twice the amount. */
import type { Money } from '@kilotoken/money';
import { divideUp, type Quantity } from './quantity.js';
import type { Shape } from './shape.js';

export const packageShape = (size: Quantity, amount: Money, free: Quantity): Shape => ({
  divisor: 1n,
  cost: (quantity) => (quantity <= free ? 0n : divideUp(quantity - free, size) * amount),
  unitPrice: () => null,
  onTop: (_level, quantity) => divideUp(quantity, size) * amount,
  edges: (most, unit, countMax) => {
    if (most <= free) return [];
    const packages = divideUp(most - free, size);
    if (packages > BigInt(countMax)) return null;
    return Array.from({ length: Number(packages) }, (_, index) => {
      // The first whole unit that begins the package.
      const last = free + BigInt(index) * size;
      return last - (last % unit) + unit;
    }).flatMap((first) => [first - unit, first].filter((edge) => edge > 0n && edge <= most));
  },
});
