/** The cost of a line that is more than a quantity times a price: of the request alone, or on top of an accumulator. */
import type { Money } from '@kilotoken/money';
import type { CompiledRate } from './compile.js';
import { counterOf, openFor, type LineCounts } from './counting.js';
import type { Quantity } from './quantity.js';
import { requestCost, roundCost } from './rate-cost.js';

export interface LineCost {
  /** Totals before and after the line, over the divisor; nothing is rounded yet. */
  readonly before: bigint;
  readonly after: bigint;
  readonly divisor: bigint;
  readonly unitPrice: Money | null;
}

export const costOfLine = (counts: LineCounts, rate: CompiledRate, quantity: Quantity): LineCost => {
  const cost = rate.cost!;
  if (rate.accumulator < 0) {
    const after = requestCost(cost, quantity);
    const isPlain = cost.divide === null && cost.base === 0n && after === cost.shape.cost(quantity);
    return { before: 0n, after, divisor: cost.shape.divisor, unitPrice: isPlain ? cost.shape.unitPrice(0n, quantity) : null };
  }
  const line = cost.volume ? costByVolume(counts, rate, quantity) : costOnTop(counts, rate, quantity);
  return cost.maximum === null ? line : cutAtMaximum(counts, rate, line);
};

const costOnTop = (counts: LineCounts, { cost, accumulator }: CompiledRate, quantity: Quantity): LineCost => {
  const { shape, divide, base } = cost!;
  const { counted, isNew } = counterOf(counts, counts.compiled.accumulators[accumulator]!);
  const [from, to] = divide ? [divide(counted), divide(counted + quantity)] : [counted, counted + quantity];
  const opening = isNew ? base * shape.divisor : 0n;
  // The first flat amount is charged with the first line.
  const before = isNew ? 0n : shape.cost(from);
  const isPlain = opening === 0n && !divide;
  return { before, after: shape.cost(to) + opening, divisor: shape.divisor, unitPrice: isPlain ? shape.unitPrice(from, to) : null };
};

/** At the price of the step that the total reaches with this line; the end of the period corrects it. */
const costByVolume = (counts: LineCounts, rate: CompiledRate, quantity: Quantity): LineCost => {
  const { volume, divide, base } = rate.cost!;
  const { counted } = counterOf(counts, counts.compiled.accumulators[rate.accumulator]!);
  const own = openFor(counts, rate.tracked!.of, rate.tracked!.quantity);
  const total = divide ? divide(counted + quantity) : counted + quantity;
  const units = divide ? divide(own.counted + quantity) - divide(own.counted) : quantity;
  const step = volume!.stepAt(total);
  const isFlatDue = own.isNew && (total > 0n || volume!.cost(0n) > 0n);
  const opening = (isFlatDue ? step.flat : 0n) + (own.isNew ? base * volume!.divisor : 0n);
  return { before: 0n, after: units * step.amount + opening, divisor: volume!.divisor, unitPrice: opening === 0n && !divide ? step.price : null };
};

const cutAtMaximum = (counts: LineCounts, { cost, tracked }: CompiledRate, line: LineCost): LineCost => {
  const before = openFor(counts, tracked!.of, tracked!.list).counted;
  const left = cost!.maximum! > before ? cost!.maximum! - before : 0n;
  const list = roundCost(line.after, line.divisor, cost!.rounding) - (line.before === 0n ? 0n : roundCost(line.before, line.divisor, cost!.rounding));
  return list <= left ? line : { before: 0n, after: left, divisor: 1n, unitPrice: null };
};
