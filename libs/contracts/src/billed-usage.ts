import { formatMoney, type Money } from '@kilotoken/money';
import type { TokenCounts } from './tokens.js';

/** A request's charge in one unit: a currency, or the unit of a package. */
export interface UnitCharge {
  readonly unit: string;
  readonly amount: Money;
}

/** The billed part of an answer: the charged counts, and the charge. */
export interface BilledUsage {
  readonly counts: TokenCounts;
  /** Some of the counts are ours, since the vendor gave none. */
  readonly estimated: boolean;
  readonly charges: readonly UnitCharge[];
}

/** Exact amounts by unit, as they stand beside the number `cost`. */
export const chargeList = (charges: readonly UnitCharge[]): { unit: string; amount: string }[] =>
  charges.map(({ unit, amount }) => ({ unit, amount: formatMoney(amount) }));
