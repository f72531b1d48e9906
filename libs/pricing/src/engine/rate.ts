/**
 * Rating: the charge lines of a usage by a compiled book, and what the usage adds to the counters. Pure but for the counters that it is given.
 *
 *   book   qwen3-max: over 32,000 tokens of prompt input 4 and output 16 CNY per 1,000,000
 *   usage  input 100,000, output 2,000
 *   lines  input  100,000 × 4 ÷ 1,000,000 = 0.4
 *          output   2,000 × 16 ÷ 1,000,000 = 0.032
 *
 * A line is multiplied first, by its discounts too, divided once and rounded half-even to 12 decimals. Over a counter that stands at L, a line of
 * the quantity Q is R(C(L + Q)) − R(C(L)): R rounds, C is the cost of all from the first unit on. So the lines of a period add up to R(C(all)), however
 * usage is split.
 */
import type { Money, Rounding } from '@kilotoken/money';
import { meters, sideOf } from '../book/book-values.js';
import { addToAccumulators, chargeTerms, counterOf, openTerms, type LineCounts } from './counting.js';
import type { CompiledBook, CompiledRate, ModelPrices } from './compile.js';
import type { Counters } from './counters.js';
import { combineStages, leftBySteps, type LineDiscount, type Stage } from './discount.js';
import { costOfLine, type LineCost } from './line-cost.js';
import { one, type Quantity } from './quantity.js';
import { roundCost } from './rate-cost.js';
import type { RatableUsage, RatedLine, Refusal } from './rated-usage.js';
import { matches, type Circumstances } from './select.js';

const none: readonly LineDiscount[] = [];
const requestMeter = meters.indexOf('request');
const promptMeters = meters.filter((meter) => sideOf[meter] === 'input');

const promptOf = ({ quantities, packed }: RatableUsage): Quantity => promptMeters.reduce((sum, meter) => sum + (quantities[meter] ?? 0n) + (packed?.[meter] ?? 0n), 0n);

export const rateFor = (prices: ModelPrices, position: number, prompt: Quantity, usage: Circumstances): CompiledRate | null => {
  for (const rate of prices.rates[position]!) if (matches(rate.conditions, prompt, usage)) return rate;
  return null;
};

/**
 * Answers the lines, in the order of `meters`, or refuses a usage of which a class has no price; nothing is counted then. A quantity of 0 has a line
 * only where it costs something.
 */
export const rateUsage = (compiled: CompiledBook, usage: RatableUsage, counters: Counters): RatedLine[] | Refusal => {
  const prices = compiled.pricesOf(usage.model, usage.currency);
  const prompt = prices.usesPrompt ? promptOf(usage) : 0n;
  const counts: LineCounts = { compiled, prices, usage, counters, position: 0 };
  if (prices.counting) return rateAndCount(counts, prompt);
  const lines: RatedLine[] = [];
  for (let position = 0; position < meters.length; position += 1) {
    const quantity = quantityOf(usage, prices, position);
    if (quantity === undefined) continue;
    const rate = rateFor(prices, position, prompt, usage);
    counts.position = position;
    if (rate?.cost) {
      const line = rateLine(counts, rate, quantity, prompt);
      if (line) lines.push(line);
    } else if (isRefused(position, quantity)) return { refused: 'no_price', class: meters[position]! };
  }
  return lines;
};

/** A request is one where its usage does not say how many, and the book has a price for requests or counts them. */
const quantityOf = ({ quantities }: RatableUsage, prices: ModelPrices, position: number): Quantity | undefined =>
  quantities[meters[position]!] ?? (position === requestMeter && (prices.counting || prices.rates[requestMeter]!.length > 0) ? one : undefined);

const isRefused = (position: number, quantity: Quantity): boolean => quantity > 0n && position !== requestMeter;

/** Chooses all rates before it counts anything, so that a refused usage leaves the counters as they are. */
const rateAndCount = (counts: LineCounts, prompt: Quantity): RatedLine[] | Refusal => {
  const { compiled, prices, usage } = counts;
  const rates: (CompiledRate | null)[] = [];
  for (let position = 0; position < meters.length; position += 1) {
    const quantity = quantityOf(usage, prices, position);
    const rate = quantity === undefined ? null : rateFor(prices, position, prompt, usage);
    if (quantity !== undefined && !rate?.cost && isRefused(position, quantity)) return { refused: 'no_price', class: meters[position]! };
    rates.push(rate);
  }
  if (compiled.terms.length > 0) openTerms(counts);
  const lines: RatedLine[] = [];
  for (let position = 0; position < meters.length; position += 1) {
    const rate = rates[position]!;
    const packed = usage.packed?.[meters[position]!];
    counts.position = position;
    if (packed) addToAccumulators(counts, packed, true);
    const quantity = quantityOf(usage, prices, position);
    if (quantity === undefined) continue;
    const line = rate?.cost ? rateLine(counts, rate, quantity, prompt) : null;
    if (line) lines.push(line);
    addToAccumulators(counts, quantity, false);
  }
  return lines;
};

const rateLine = (counts: LineCounts, rate: CompiledRate, quantity: Quantity, prompt: Quantity): RatedLine | null => {
  const { usage, prices, position } = counts;
  const { flat, rounding } = rate.cost!;
  const cost = flat ? null : costOfLine(counts, rate, quantity);
  const [after, divisor] = cost ? [cost.after, cost.divisor] : [quantity * flat!.factor, flat!.divisor];
  const list = cost ? amountOf(cost, 1n, 1n, rounding) : roundCost(after, divisor, null);
  if (quantity === 0n && list === 0n) return null;
  const stages = prices.discounts[position]!.length === 0 ? null : stagesOf(counts, quantity, list, prompt);
  const discounts: LineDiscount[] | null = stages && stages.length > 0 ? [] : null;
  let amount = list;
  if (discounts) {
    let [numerator, denominator] = [1n, 1n];
    for (const { id, left } of stages!) {
      numerator *= left.numerator;
      denominator *= left.denominator;
      const next = cost ? amountOf(cost, numerator, denominator, rounding) : roundCost(after * numerator, divisor * denominator, null);
      discounts.push({ id, amount: amount - next });
      amount = next;
    }
  }
  const line = {
    usageId: usage.usageId,
    rateId: rate.id,
    class: meters[position]!,
    quantity,
    unitPrice: cost ? cost.unitPrice : flat!.price,
    per: rate.per,
    amount,
    currency: rate.currency,
    discounts: discounts ?? none,
  };
  return prices.counting ? chargeTerms(counts, rate, quantity, list, line) : line;
};

/** A line over a counter is the difference of two rounded totals, so that lines add up to the rounded total of all. */
const amountOf = ({ before, after, divisor }: LineCost, numerator: bigint, denominator: bigint, rounding: Rounding | null): Money => {
  const total = roundCost(after * numerator, divisor * denominator, rounding);
  return before === 0n ? total : total - roundCost(before * numerator, divisor * denominator, rounding);
};

/** The discounts that match a line, with the part that each leaves of it. */
const stagesOf = (counts: LineCounts, quantity: Quantity, list: Money, prompt: Quantity): Stage[] => {
  const { compiled, prices, usage, position } = counts;
  const stages: Stage[] = [];
  for (const discount of prices.discounts[position]!) {
    if (!matches(discount.conditions, prompt, usage)) continue;
    if (discount.stage) stages.push(discount.stage);
    else {
      const isOfAmounts = compiled.accumulators[discount.accumulator]!.counts === 'amount';
      const level = counterOf(counts, compiled.accumulators[discount.accumulator]!).counted;
      stages.push({ id: discount.id, index: discount.index, left: leftBySteps(discount.steps!, level, isOfAmounts ? list : quantity) });
    }
  }
  return combineStages(stages, compiled.groups);
};
