/**
 * A charge over several units. A request whose first grant is a nearly empty token pack is paid by what is left of the pack
 * and by money for the rest. Pure; the gateway charges with it, the rater proves it again.
 *
 *   pack   input 1, output 4 units a token, 1,000 units held
 *   USD    input 0.15, output 0.60 USD per 1,000,000 tokens, the whole worst case held
 *   counts input 400, output 300
 *
 *   input  400 tokens × 1 = 400 units, all from the pack; 600 units are left
 *   output 150 tokens × 4 = 600 units from the pack, 150 tokens × 0.60 ÷ 1,000,000 = 0.00009 USD
 *
 * Lines are taken in the class order of `tokenClasses`. Each payer in turn covers as many whole tokens of a line as what it
 * has left pays, and the last one takes the rest, whatever it costs: `charge` is cut at its hold, `rated` is not. Where the last
 * unit paid before, with grants that burn earlier, its hold includes the part of a token that was left there. A class without a
 * rate is outside the scope of a payer, and the next one covers it. Rates are chosen on the whole request.
 */
import { tokenClasses, type TokenCounts } from '@kilotoken/contracts';
import { minMoney, priceOf, type Money, type Rounding } from '@kilotoken/money';
import type { PriceVersion, Rate } from './price.js';
import { rateFor, type ChargeLine } from './pricing.js';

type Rates = PriceVersion['rates'];

/** One unit's part in a hold: what is held of it, and the rates at which it burns. */
export interface Payer {
  /** Needed where a unit pays in several places of the burn order. */
  readonly unit?: string;
  readonly rates: Rates;
  readonly rounding: Rounding;
  readonly hold: Money;
}

/** One payer's payment. */
export interface Portion {
  /** Whole tokens, by class. */
  readonly counts: TokenCounts;
  readonly lines: readonly ChargeLine[];
  readonly rated: Money;
  /** min(rated, hold): the charges of a unit are never above its holds. */
  readonly charge: Money;
}

/**
 * Splits counts over payers in their order; answers a portion for each. Throws a RangeError for a count that the last payer has
 * no rate for, and for what is no count: admission makes no such hold, so this is a bug or a foreign row, never a free answer.
 */
export const ratePortions = (counts: TokenCounts, payers: readonly Payer[]): Portion[] => {
  const paid = payers.map(() => ({ counts: {} as TokenCounts, lines: [] as ChargeLine[], rated: 0n }));
  const last = payers.length - 1;
  for (const tokenClass of tokenClasses) {
    let left = counts[tokenClass] ?? 0;
    if (!Number.isSafeInteger(left) || left < 0) throw new RangeError(`${left} is no count of ${tokenClass}`);
    for (let index = 0; left > 0; index += 1) {
      if (index > last) throw new RangeError(`no price for ${tokenClass}`);
      const { rates, rounding, hold } = payers[index]!;
      const rate = rateFor(rates, tokenClass);
      if (!rate) continue;
      const portion = paid[index]!;
      const tokens = index === last ? left : coveredTokens(left, rate, rounding, hold - portion.rated);
      if (tokens === 0) continue;
      portion.counts[tokenClass] = tokens;
      const charge = priceOf(BigInt(tokens), rate.amount!, rate.per, rounding);
      portion.lines.push({ tokenClass, tokens: BigInt(tokens), amount: rate.amount!, per: rate.per, charge });
      portion.rated += charge;
      left -= tokens;
    }
  }
  return paid.map(({ counts: paidCounts, lines, rated }, index) => {
    const { unit, hold } = payers[index]!;
    const leftBefore = index < last || unit === undefined ? 0n : leftOf(unit, payers.slice(0, last), paid);
    return { counts: paidCounts, lines, rated, charge: minMoney(rated, hold + leftBefore) };
  });
};

const leftOf = (unit: string, payers: readonly Payer[], paid: readonly { readonly rated: Money }[]): Money =>
  payers.reduce((left, payer, index) => (payer.unit === unit ? left + payer.hold - paid[index]!.rated : left), 0n);

/**
 * How many of `tokens` an amount pays for, rounding included. A price never falls as tokens are added, so the answer is found by
 * halving: at most 53 steps.
 */
export const coveredTokens = (tokens: number, { amount, per }: Rate, rounding: Rounding, left: Money): number => {
  const covers = (count: number): boolean => priceOf(BigInt(count), amount!, per, rounding) <= left;
  if (covers(tokens)) return tokens;
  let [most, least] = [tokens, 0];
  while (most - least > 1) {
    const middle = least + Math.floor((most - least) / 2);
    if (covers(middle)) least = middle;
    else most = middle;
  }
  return least;
};
