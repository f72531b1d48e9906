/**
 * The charge of one attempt of a request. Pure.
 *
 * A charge has a portion for each stretch of the burn order in one unit: most charges have one, in the currency of the price; a
 * request that straddles a token pack and money has one of the pack's unit and one of the currency. Every portion is
 * min(rated, hold), by `ratePortions`, and nothing else cuts a charge.
 */
import { completionTokens, promptTokens, type TokenCounts } from '@kilotoken/contracts';
import type { Money, Rounding } from '@kilotoken/money';
import { ratePortions, type PriceVersion } from '@kilotoken/pricing';

/** How a unit burns: pinned when the request was admitted. */
export interface UnitTerms {
  readonly unit: string;
  /** Null: the currency of the price version. */
  readonly burnTableId: string | null;
  readonly rates: PriceVersion['rates'];
  readonly rounding: Rounding;
}

/** The part of a charge that a unit pays, with its hold. A unit may have several portions, where others lie between them in the burn order. */
export interface UnitPortion {
  readonly unit: string;
  readonly burnTableId: string | null;
  /** Whole tokens, by class. */
  readonly counts: TokenCounts;
  readonly hold: Money;
  readonly rated: Money;
  /** A unit's charges are never above its holds. */
  readonly charge: Money;
}

export interface Charge {
  readonly counts: TokenCounts;
  readonly estimated: boolean;
  /** In burn order. */
  readonly portions: readonly UnitPortion[];
  /** Classes that the lane returned and did not declare: counted as their parents. */
  readonly undeclared: readonly string[];
}

export const noCharge: Charge = { counts: {}, estimated: false, portions: [], undeclared: [] };

/** The portions of counts over what is held, in burn order. Throws a RangeError for a count that the last unit has no rate for. */
export const portionsOf = (counts: TokenCounts, held: readonly (UnitTerms & { readonly hold: Money })[]): UnitPortion[] => {
  const portions = ratePortions(counts, held);
  return held.map(({ unit, burnTableId, hold }, index) => {
    const { counts: paid, rated, charge } = portions[index]!;
    return { unit, burnTableId, counts: paid, hold, rated, charge };
  });
};

/** The sum of portions in one unit. */
export const totalIn = (portions: readonly UnitPortion[], unit: string): { tokens: number; hold: Money; rated: Money; charge: Money } => {
  const total = { tokens: 0, hold: 0n, rated: 0n, charge: 0n };
  for (const portion of portions) {
    if (portion.unit !== unit) continue;
    total.tokens += promptTokens(portion.counts) + completionTokens(portion.counts);
    total.hold += portion.hold;
    total.rated += portion.rated;
    total.charge += portion.charge;
  }
  return total;
};
