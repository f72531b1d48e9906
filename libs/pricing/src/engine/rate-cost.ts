/** A rate's price with its modifiers: the quantity divided first, then the shape, the base amount, the minimum and the maximum. */
import { divideBy, divideHalfEven, parseMoney, priceOf, type Money, type Rounding } from '@kilotoken/money';
import type { BlockPrice, BookRate, BookStep, PackagePrice, TieredPrice } from '../book/price-book.js';
import { blockShape } from './blocks.js';
import { graduatedShape } from './graduated.js';
import { packageShape } from './package.js';
import { divideUp, one, parseQuantity, type Quantity } from './quantity.js';
import type { Shape, Step } from './shape.js';
import { unitShape, type UnitShape } from './unit.js';
import { volumeShape, type VolumeShape } from './volume.js';

export interface RateCost {
  readonly shape: Shape;
  /** Set where the cost is the quantity times one price and nothing else: most rates. */
  readonly flat: UnitShape | null;
  /** Set where the price is by volume. */
  readonly volume: VolumeShape | null;
  readonly divide: ((quantity: Quantity) => Quantity) | null;
  readonly divideBy: Quantity | null;
  /** The first whole number of units that is so much after dividing. */
  readonly beginOf: ((divided: bigint) => bigint) | null;
  readonly base: Money;
  readonly minimum: Money | null;
  readonly maximum: Money | null;
  readonly rounding: Rounding | null;
}

const step = ({ up_to, amount, flat = '0' }: BookStep, per: bigint): Step => {
  const price = parseMoney(amount);
  return { upTo: up_to === undefined ? null : parseQuantity(up_to), amount: price, flat: parseMoney(flat) * per * one, price };
};

const tieredShape = ({ tiers, steps }: TieredPrice, per: bigint, flatAtZero: boolean): Shape => {
  const parsed = steps.map((row) => step(row, per));
  return tiers === 'volume' ? volumeShape(parsed, per * one, flatAtZero) : graduatedShape(parsed, per * one, flatAtZero);
};

const shapeOf = (price: NonNullable<BookRate['price']>, per: bigint, flatAtZero: boolean): Shape => {
  if ('tiers' in price) return tieredShape(price, per, flatAtZero);
  if ('package' in price) return shapeOfPackage(price);
  if ('blocks' in price) return shapeOfBlocks(price);
  return unitShape(parseMoney(price.amount), per);
};

const shapeOfPackage = ({ package: size, amount, free = '0' }: PackagePrice): Shape => packageShape(parseQuantity(size), parseMoney(amount), parseQuantity(free));

const shapeOfBlocks = ({ blocks: mode, steps }: BlockPrice): Shape =>
  blockShape(
    mode,
    steps.map(({ size, blocks, amount }) => ({ size: parseQuantity(size), blocks: blocks === undefined ? null : BigInt(blocks), amount: parseMoney(amount) })),
  );

const dividerOf = ({ divide, round }: NonNullable<BookRate['quantity']>): ((quantity: Quantity) => Quantity) => {
  const by = parseQuantity(divide);
  return (quantity) => divideBy[round](quantity, by) * one;
};

const beginningOf = ({ divide, round }: NonNullable<BookRate['quantity']>): ((divided: bigint) => bigint) => {
  const by = parseQuantity(divide);
  if (round === 'up') return (divided) => ((divided - 1n) * by) / one + 1n;
  return round === 'down' ? (divided) => divideUp(divided * by, one) : (divided) => divideUp((2n * divided - 1n) * by, 2n * one);
};

/** Null: no price. */
export const rateCostOf = (rate: BookRate): RateCost | null => {
  const { price, quantity, base, minimum, maximum, round } = rate;
  if (price === null) return null;
  const shape = shapeOf(price, BigInt(rate.per), rate.flat_at_zero === true);
  const isPlain = !quantity && base === undefined && minimum === undefined && maximum === undefined && !round;
  return {
    shape,
    flat: isPlain && 'factor' in shape ? (shape as UnitShape) : null,
    volume: 'stepAt' in shape ? (shape as VolumeShape) : null,
    divide: quantity ? dividerOf(quantity) : null,
    divideBy: quantity ? parseQuantity(quantity.divide) : null,
    beginOf: quantity ? beginningOf(quantity) : null,
    base: base === undefined ? 0n : parseMoney(base),
    minimum: minimum === undefined ? null : parseMoney(minimum),
    maximum: maximum === undefined ? null : parseMoney(maximum),
    rounding: round ? { decimals: Number(round.decimals), mode: round.mode } : null,
  };
};

/** The cost of a request's quantity over the shape's divisor, with all modifiers. */
export const requestCost = (cost: RateCost, quantity: Quantity): bigint => dividedCost(cost, cost.divide ? cost.divide(quantity) : quantity);

/** As `requestCost`, of a quantity that is divided already. */
export const dividedCost = ({ shape, base, minimum, maximum }: RateCost, quantity: Quantity): bigint => {
  let cost = shape.cost(quantity) + base * shape.divisor;
  if (minimum !== null && cost < minimum * shape.divisor) cost = minimum * shape.divisor;
  if (maximum !== null && cost > maximum * shape.divisor) cost = maximum * shape.divisor;
  return cost;
};

/** Half-even to 12 decimals, then once more as the rate says. */
export const roundCost = (cost: bigint, divisor: bigint, rounding: Rounding | null): Money => {
  const amount = divisor === 1n ? cost : divideHalfEven(cost, divisor);
  return rounding ? priceOf(amount, 1n, 1n, rounding) : amount;
};
