/**
 * Rating: what counted tokens cost at a price version. Pure; the gateway charges with it, the rater proves it again.
 *
 *   price  input 0.15, output 0.60 USD per 1,000,000
 *   counts input 1,200, output 300
 *   lines  input  1,200 × 0.15 ÷ 1,000,000 = 0.00018
 *          output   300 × 0.60 ÷ 1,000,000 = 0.00018
 *   total  0.00036 USD
 *
 * Every line is multiplied first, divided once and rounded half-even to 12 decimals; the total is the sum of its lines.
 */
import { parentClass, type TokenClass, tokenClasses, type TokenCounts } from '@kilotoken/contracts';
import { moneyRounding, priceOf, stepOf, type Money, type Rounding } from '@kilotoken/money';
import { divideUp } from './engine/quantity.js';
import type { PriceVersion, Rate } from './price.js';

export interface ChargeLine {
  tokenClass: TokenClass;
  tokens: bigint;
  /** The rate that was applied: `amount ÷ per` a token. */
  amount: Money;
  per: bigint;
  charge: Money;
}

export interface Rating {
  lines: ChargeLine[];
  total: Money;
}

type Rates = PriceVersion['rates'];

/** The rate of a class, or its parent's where the book has none of its own. Null: no price. */
export const rateFor = (rates: Rates, tokenClass: TokenClass): Rate | null => {
  const rate = rates.get(tokenClass) ?? rates.get(parentClass[tokenClass]);
  return rate && rate.amount !== null ? rate : null;
};

/**
 * Rates counts in the class order of `tokenClasses`. Throws a RangeError for a counted class that has no price: admission
 * refuses such a model, so this is a bug or a foreign row, never a free answer.
 */
export const rateUsage = (counts: TokenCounts, rates: Rates): Rating => {
  const lines: ChargeLine[] = [];
  let total: Money = 0n;
  for (const tokenClass of tokenClasses) {
    const count = counts[tokenClass];
    if (!count) continue;
    const rate = rateFor(rates, tokenClass);
    if (!rate) throw new RangeError(`no price for ${tokenClass}`);
    const tokens = BigInt(count);
    const charge = priceOf(tokens, rate.amount!, rate.per);
    lines.push({ tokenClass, tokens, amount: rate.amount!, per: rate.per, charge });
    total += charge;
  }
  return { lines, total };
};

/** The classes that a lane can return and that this price version has no price for; such a request is refused. */
export const unpricedClasses = (declared: Iterable<TokenClass>, rates: Rates): TokenClass[] =>
  [...declared].filter((tokenClass) => {
    const rate = rates.get(tokenClass);
    return !rate || rate.amount === null;
  });

/**
 * A class that the lane did not declare is counted as its parent: it was never part of the worst case, and a guess at
 * another price would be ours alone. `undeclared` names them for the alarm.
 */
export const foldUndeclared = (counts: TokenCounts, declared: ReadonlySet<TokenClass>): { counts: TokenCounts; undeclared: TokenClass[] } => {
  const undeclared = tokenClasses.filter((tokenClass) => counts[tokenClass] && !declared.has(tokenClass) && parentClass[tokenClass] !== tokenClass);
  if (undeclared.length === 0) return { counts, undeclared };
  const folded: TokenCounts = { ...counts };
  for (const tokenClass of undeclared) {
    const parent = parentClass[tokenClass];
    folded[parent] = (folded[parent] ?? 0) + folded[tokenClass]!;
    delete folded[tokenClass];
  }
  return { counts: folded, undeclared };
};

/** The dearest price of a token on one side, as a fraction that is compared without dividing. */
const dearestRate = (side: 'input' | 'output', declared: Iterable<TokenClass>, rates: Rates): Rate => {
  let dearest: Rate = { amount: 0n, per: 1n };
  for (const tokenClass of [side, ...declared]) {
    if (parentClass[tokenClass] !== side) continue;
    const rate = rateFor(rates, tokenClass);
    if (!rate) throw new RangeError(`no price for ${tokenClass}`);
    if (rate.amount! * dearest.per > dearest.amount! * rate.per) dearest = rate;
  }
  return dearest;
};

/** A request's worst-case cost as a function of its bounds. Made once per price version and set of lanes. */
export interface WorstCase {
  /** At most this many tokens of prompt and of answer cost at most this much. */
  hold(promptTokensMax: bigint, outputTokensMax: bigint): Money;
  /** How many tokens of answer `budget` covers beside the prompt; 0 when it does not cover the prompt. */
  affordableOutput(promptTokensMax: bigint, budget: Money): bigint;
}

/**
 * Each line may round up by less than one step of its unit; where every rate divides evenly no line rounds, else one
 * step a class is added. So no mix of declared classes within the bounds is ever rated above the hold.
 */
export const worstCaseOf = (declared: Iterable<TokenClass>, rates: Rates, rounding: Rounding = moneyRounding): WorstCase => {
  const classes = [...declared];
  const input = dearestRate('input', classes, rates);
  const output = dearestRate('output', classes, rates);
  const reachable = new Set<TokenClass>(['input', 'output', ...classes]);
  const step = stepOf(rounding);
  const exact = [...reachable].every((tokenClass) => {
    const rate = rateFor(rates, tokenClass);
    return rate !== null && rate.amount! % (rate.per * step) === 0n;
  });
  const slack = exact ? 0n : BigInt(reachable.size) * step;
  const costUp = (tokens: bigint, { amount, per }: Rate): Money => divideUp(tokens * amount!, per * step) * step;
  const promptCost = (tokens: bigint): Money => costUp(tokens, input) + slack;
  return {
    hold: (promptTokensMax, outputTokensMax) => promptCost(promptTokensMax) + costUp(outputTokensMax, output),
    affordableOutput: (promptTokensMax, budget) => {
      const left = budget - promptCost(promptTokensMax);
      if (left < 0n) return 0n;
      if (output.amount === 0n) return BigInt(Number.MAX_SAFE_INTEGER);
      // Whole steps of the unit: what is left over pays for no rounding up.
      return ((left - (left % step)) * output.per) / output.amount!;
    },
  };
};

/** The version in force at a moment, of versions sorted by `effectiveAtMs`, latest first. */
export const priceAt = (versions: readonly PriceVersion[], atMs: number): PriceVersion | null =>
  versions.find((version) => version.effectiveAtMs <= atMs) ?? null;
