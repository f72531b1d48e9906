/**
 * Exact money. A `Money` is a bigint count of 10⁻¹² of its unit (a currency or a pack unit), the same scale as
 * `NUMERIC(38,12)` in Postgres; on the wire it is a decimal string. `number` never holds money.
 *
 *   parseMoney('0.15')                  → 150_000_000_000n
 *   formatMoney(150_000_000_000n)       → '0.15'
 *   priceOf(1000n, parseMoney('0.15'), 1_000_000n) → 150_000_000n, that is 0.00015
 */
export type Money = bigint;

export const moneyDecimals = 12;
const scale = 10n ** BigInt(moneyDecimals);

/** The largest absolute value that NUMERIC(38,12) holds. */
export const moneyMax: Money = 10n ** 38n - 1n;

const pattern = /^(-?)(\d{1,26})(?:\.(\d{1,12}))?$/;

/**
 * Reads a plain decimal string: at most 26 digits before and 12 after the point, no exponent, no grouping, no plus sign.
 * Throws a RangeError for anything else, `-0` included: a sign on nothing is somebody's mistake.
 */
export const parseMoney = (text: string): Money => {
  const match = pattern.exec(text);
  if (!match) throw new RangeError(`not an exact amount: ${JSON.stringify(text.slice(0, 60))} (a plain decimal with at most 12 decimals is needed)`);
  const [, sign, whole, fraction = ''] = match;
  const value = BigInt(whole!) * scale + BigInt(fraction.padEnd(moneyDecimals, '0'));
  if (sign && value === 0n) throw new RangeError('not an exact amount: minus zero');
  return sign ? -value : value;
};

/** The shortest decimal string of an amount: no trailing zeros, no exponent. */
export const formatMoney = (amount: Money): string => {
  const digits = (amount < 0n ? -amount : amount).toString().padStart(moneyDecimals + 1, '0');
  const point = digits.length - moneyDecimals;
  let end = digits.length;
  while (end > point && digits[end - 1] === '0') end -= 1;
  return `${amount < 0n ? '-' : ''}${digits.slice(0, point)}${end > point ? `.${digits.slice(point, end)}` : ''}`;
};

/** Divides and rounds half to even, which is unbiased over many lines: the rounding of a charge line (12 decimals). */
export const divideHalfEven = (dividend: bigint, divisor: bigint): bigint => {
  if (divisor <= 0n) throw new RangeError('the divisor must be positive');
  const negative = dividend < 0n;
  const absolute = negative ? -dividend : dividend;
  const quotient = absolute / divisor;
  const twice = (absolute % divisor) * 2n;
  const rounded = twice > divisor || (twice === divisor && quotient % 2n === 1n) ? quotient + 1n : quotient;
  return negative ? -rounded : rounded;
};

/** Divides and rounds half away from zero: the rounding of minor units (invoice lines, commissions), done once. */
export const divideHalfUp = (dividend: bigint, divisor: bigint): bigint => {
  if (divisor <= 0n) throw new RangeError('the divisor must be positive');
  const absolute = dividend < 0n ? -dividend : dividend;
  const rounded = (absolute * 2n + divisor) / (divisor * 2n);
  return dividend < 0n ? -rounded : rounded;
};

/** How a charge line of a unit is rounded: to how many decimals (0 to 12), and which way. */
export interface Rounding {
  readonly decimals: number;
  readonly mode: RoundingMode;
}

/** `half_up` and `half_even` round to the nearest; `up` and `down` always away from zero and towards it. */
export const roundingModes = ['half_even', 'half_up', 'up', 'down'] as const;
export type RoundingMode = (typeof roundingModes)[number];

/** The rounding of every currency, and of a pack unit that declares none. */
export const moneyRounding: Rounding = { decimals: moneyDecimals, mode: 'half_even' };

/** Divides and rounds to a whole number, by mode. */
export const divideBy: Readonly<Record<RoundingMode, (dividend: bigint, divisor: bigint) => bigint>> = {
  half_even: divideHalfEven,
  half_up: divideHalfUp,
  up: (dividend, divisor) => divideUp(dividend, divisor),
  down: (dividend, divisor) => dividend / divisor,
};

const divideUp = (dividend: bigint, divisor: bigint): bigint => {
  const quotient = dividend / divisor;
  if (quotient * divisor === dividend) return quotient;
  return dividend < 0n ? quotient - 1n : quotient + 1n;
};

/** The smallest amount that a rounding can tell from nothing: `decimals` 0 → 1, 12 → 10⁻¹². */
export const stepOf = ({ decimals }: Rounding): Money => {
  if (!Number.isInteger(decimals) || decimals < 0 || decimals > moneyDecimals) throw new RangeError(`a unit has 0 to ${moneyDecimals} decimals, not ${decimals}`);
  return 10n ** BigInt(moneyDecimals - decimals);
};

/** quantity × amount ÷ per: multiplied first, divided once, rounded once; half-even to 12 decimals unless the unit declares otherwise. */
export const priceOf = (quantity: bigint, amount: Money, per: bigint, rounding: Rounding = moneyRounding): Money => {
  if (rounding === moneyRounding) return divideHalfEven(quantity * amount, per);
  if (per <= 0n) throw new RangeError('the divisor must be positive');
  const step = stepOf(rounding);
  return divideBy[rounding.mode](quantity * amount, per * step) * step;
};

export const minMoney = (a: Money, b: Money): Money => (a < b ? a : b);
export const maxMoney = (a: Money, b: Money): Money => (a > b ? a : b);
