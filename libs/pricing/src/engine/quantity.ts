/**
 * Quantities of what is sold: a bigint count of 10⁻¹² of a unit, exact like money. Counts of tokens are whole; hours, seconds and images
 * may have a fraction.
 *
 *   parseQuantity('5.5') → 5_500_000_000_000n
 */
import type { Meter } from '../book/book-values.js';

export type Quantity = bigint;
export type Quantities = Readonly<Partial<Record<Meter, Quantity>>>;

export const one: Quantity = 10n ** 12n;

const pattern = /^(\d{1,26})(?:\.(\d{1,12}))?$/;

/** Reads a plain decimal of 0 or more, with at most 26 digits before and 12 after the point. Throws a RangeError for other text. */
export const parseQuantity = (text: string): Quantity => {
  const match = pattern.exec(text);
  if (!match) throw new RangeError(`not an exact quantity: ${JSON.stringify(text.slice(0, 60))} (a plain decimal of 0 or more with at most 12 decimals is needed)`);
  return BigInt(match[1]!) * one + BigInt((match[2] ?? '').padEnd(12, '0'));
};

/** Divides and rounds up. */
export const divideUp = (dividend: bigint, divisor: bigint): bigint => (dividend + divisor - 1n) / divisor;

export const greatestDivisor = (a: bigint, b: bigint): bigint => (b === 0n ? a : greatestDivisor(b, a % b));

export interface Fraction {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** The numbers of a long division stay short in lowest terms. */
export const lowestTerms = (numerator: bigint, denominator: bigint): Fraction => {
  const common = greatestDivisor(denominator, numerator);
  return { numerator: numerator / common, denominator: denominator / common };
};
