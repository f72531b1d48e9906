import { divideHalfEven, type Money } from '@kilotoken/money';
import { oneUnit, type RatableUsage, type RatedLine } from '@kilotoken/pricing';

/**
 * The least that rating can be: looks the model up in a Map, multiplies, divides, rounds half-even and builds the engine's line objects, at one price
 * for each class. It knows no condition, no discount, no counter and no refusal.
 */
export interface FlatLoop {
  rate(usage: RatableUsage): RatedLine[];
}

interface FlatPrice {
  readonly rateId: string;
  readonly class: 'input' | 'cached_read' | 'output';
  readonly amount: Money;
}

const per = 1_000_000n;
/** Quantities are in 10⁻¹². */
const divisor = per * oneUnit;
const none: RatedLine['discounts'] = [];

export const createFlatLoop = (models: readonly string[]): FlatLoop => {
  const prices = new Map(
    models.map((model) => [
      model,
      [
        { rateId: `${model}/input`, class: 'input', amount: 2_500_000_000_000n },
        { rateId: `${model}/cached_read`, class: 'cached_read', amount: 500_000_000_000n },
        { rateId: `${model}/output`, class: 'output', amount: 10_000_000_000_000n },
      ] satisfies FlatPrice[],
    ]),
  );
  return {
    rate: ({ usageId, model, quantities }) => {
      const lines: RatedLine[] = [];
      for (const { rateId, class: name, amount: unitPrice } of prices.get(model)!) {
        const quantity = quantities[name];
        if (!quantity) continue;
        lines.push({ usageId, rateId, class: name, quantity, unitPrice, per, amount: divideHalfEven(quantity * unitPrice, divisor), currency: 'USD', discounts: none });
      }
      return lines;
    },
  };
};
