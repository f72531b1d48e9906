/**
 * The bound of a request's cost, held before it is dispatched: the dearest amount at which any reachable mix within its token bounds can be rated.
 *
 *   book   input 2.50 up to 32,000 tokens of prompt, 4 above, cached reads 0.50, output 10 or 16, per 1,000,000
 *   hold   of 100,000 tokens of prompt and 2,000 of answer: the second band, all of it input, 0.4 + 0.032
 *
 * Reachable are all declared classes and their parents, the tiers, modes and regions that the facts name, each band by length that the prompt may fall in, and
 * each place on a counter from where it stands on. Windows are those of the moment of admission. To the exact maximum each line adds what its rounding can add.
 */
import { parentClass, type TokenClass } from '@kilotoken/contracts';
import { minMoney, type Money } from '@kilotoken/money';
import { meters, type Meter } from '../book/book-values.js';
import { counterClassCost, requestClassCost, type ClassCost, type Standing } from './bound-class.js';
import { mixOf, type Mix } from './bound-mix.js';
import type { CompiledBook, CompiledRate, ModelPrices, Term } from './compile.js';
import type { Counter, Counters, Opening } from './counters.js';
import { combineStages, largestLeft } from './discount.js';
import { divideUp, one, type Fraction, type Quantities, type Quantity } from './quantity.js';
import { rateFor } from './rate.js';
import type { Refusal } from './rated-usage.js';
import { matches, type Circumstances, type Conditions } from './select.js';

export interface BoundFacts {
  readonly model: string;
  readonly atMs: number;
  /** The latest moment at which it settles: a period that ends before may begin anew. Default: `atMs`. */
  readonly settlesByMs?: number | undefined;
  /** Declared by the lanes. Input and output are reachable in any case. */
  readonly classes: readonly TokenClass[];
  /** At most so much of what is not counted in tokens. One request, unless it says otherwise. */
  readonly quantities?: Quantities | undefined;
  readonly tiers: readonly string[];
  readonly modes: readonly string[];
  readonly regions?: readonly string[] | undefined;
  readonly account: string;
  readonly root?: string | undefined;
  readonly currency?: string | undefined;
}

export interface Bound {
  /** At most so many tokens of prompt and of answer cost at most this. Refuses where a reachable class has no price. */
  hold(promptMax: bigint, outputMax: bigint): Money | Refusal;
  /** How many tokens of answer a budget covers beside the prompt; 0 where it does not cover the prompt. */
  affordableOutput(promptMax: bigint, budget: Money): bigint;
}

/** One combination of tier, mode, region and band: prompts of more than `over` tokens, and at most `upTo`. */
interface Scenario {
  readonly over: bigint;
  readonly upTo: bigint | null;
  readonly refused: Refusal | null;
  readonly prompt: Mix;
  readonly output: Mix;
  /** Of other meters, over `denominator`. */
  readonly other: { readonly cost: bigint; readonly denominator: bigint; readonly slack: bigint };
}

const outputMostMax = BigInt(Number.MAX_SAFE_INTEGER);

export const boundOf = (compiled: CompiledBook, facts: BoundFacts, counters: Counters): Bound => {
  const prices = compiled.pricesOf(facts.model, facts.currency);
  const reached = reachableMeters(facts);
  const bands = bandsOf(prices, reached);
  const scenarios = circumstancesOf(facts).flatMap((circumstances) => bands.map(([over, upTo]) => scenarioOf({ compiled, prices, facts, counters, circumstances, over, upTo }, reached)));
  const cap = capOf(compiled, facts, counters);
  const reachableFor = (promptMax: bigint): Scenario[] => scenarios.filter(({ over }) => over < promptMax);
  const hold = (promptMax: bigint, outputMax: bigint): Money | Refusal => {
    let most = 0n;
    for (const scenario of reachableFor(promptMax)) {
      if (scenario.refused) return scenario.refused;
      const cost = costOf(scenario, promptMax, outputMax);
      if (cost > most) most = cost;
    }
    return cap === null ? most : minMoney(most, cap);
  };
  const affordableOutput = (promptMax: bigint, budget: Money): bigint => {
    const reachable = reachableFor(promptMax);
    const isLinear = cap === null && reachable.every(({ refused, output }) => !refused && output.slope !== null);
    if (!isLinear) return lastAffordable(budget, (output) => hold(promptMax, output));
    return reachable.map((scenario) => outputWithin(scenario, promptMax, budget)).reduce((least, output) => (output < least ? output : least), outputMostMax);
  };
  return { hold, affordableOutput };
};

/** All that fits is found by halving, in at most 53 steps: a hold never falls as answers grow. */
const lastAffordable = (budget: Money, holdOf: (output: bigint) => Money | Refusal): bigint => {
  const fits = (output: bigint): boolean => {
    const hold = holdOf(output);
    return typeof hold === 'bigint' && hold <= budget;
  };
  if (!fits(0n)) return 0n;
  if (fits(outputMostMax)) return outputMostMax;
  let [least, most] = [0n, outputMostMax];
  while (most - least > 1n) {
    const middle = (least + most) / 2n;
    if (fits(middle)) least = middle;
    else most = middle;
  }
  return least;
};

/** The exact maximum over a denominator, and what rounding may add: twice as much over it. */
interface Maximum {
  readonly exact: bigint;
  readonly denominator: bigint;
  readonly slack: bigint;
}

const maximumOf = ({ over, upTo, prompt, output, other }: Scenario, promptMax: bigint, outputMax: bigint): Maximum => {
  const most = upTo === null || promptMax < upTo ? promptMax : upTo;
  const denominator = prompt.denominator * output.denominator * other.denominator;
  const exact =
    prompt.dearest(over + 1n, most) * output.denominator * other.denominator +
    output.dearest(0n, outputMax) * prompt.denominator * other.denominator +
    other.cost * prompt.denominator * output.denominator;
  return { exact, denominator, slack: (prompt.slack + output.slack + other.slack) * denominator };
};

/** Lines are whole numbers of 10⁻¹², so their largest sum is too. */
const costOf = (scenario: Scenario, promptMax: bigint, outputMax: bigint): Money => {
  const { exact, denominator, slack } = maximumOf(scenario, promptMax, outputMax);
  return (exact * 2n + slack) / (denominator * 2n);
};

/** The largest output whose cost is within a budget, where each token of it costs the same. */
const outputWithin = (scenario: Scenario, promptMax: bigint, budget: Money): bigint => {
  const { exact, denominator, slack } = maximumOf(scenario, promptMax, 0n);
  const slope = (scenario.output.slope! * denominator) / scenario.output.denominator;
  const room = 2n * denominator * (budget + 1n) - 1n - slack - 2n * exact;
  if (slope === 0n || room < 0n) return room < 0n ? 0n : outputMostMax;
  return room / (2n * slope);
};

interface Reached {
  readonly input: readonly number[];
  readonly output: readonly number[];
  readonly other: readonly { readonly position: number; readonly quantity: Quantity }[];
}

const reachableMeters = ({ classes, quantities }: BoundFacts): Reached => {
  const tokens = new Set<TokenClass>(['input', 'output', ...classes]);
  const side = (parent: 'input' | 'output'): number[] => [...tokens].filter((name) => parentClass[name] === parent).map((name) => meters.indexOf(name)).sort((a, b) => a - b);
  const others = meters.filter((meter) => !(meter in parentClass)).map((meter) => ({ position: meters.indexOf(meter), quantity: quantities?.[meter] ?? (meter === 'request' ? one : undefined) }));
  return { input: side('input'), output: side('output'), other: others.flatMap(({ position, quantity }) => (quantity === undefined || quantity === 0n ? [] : [{ position, quantity }])) };
};

const circumstancesOf = ({ atMs, tiers, modes, regions }: BoundFacts): Circumstances[] =>
  tiers.flatMap((tier) => modes.flatMap((mode) => (regions && regions.length > 0 ? regions : [undefined]).map((region) => ({ atMs, tier, mode, region }))));

/** Between two neighbouring bounds of any condition the same rates and discounts apply. */
const bandsOf = (prices: ModelPrices, { input, output, other }: Reached): [over: bigint, upTo: bigint | null][] => {
  const bounds = new Set<bigint>();
  const collect = ({ over, upTo }: Conditions): void => {
    for (const bound of [over, upTo]) if (bound !== null) bounds.add(bound / one);
  };
  for (const position of [...input, ...output, ...other.map((row) => row.position)]) {
    for (const { conditions } of [...prices.rates[position]!, ...prices.discounts[position]!]) collect(conditions);
  }
  const sorted = [...bounds].sort((a, b) => (a < b ? -1 : 1));
  return [...sorted, null].map((upTo, index) => [index === 0 ? -1n : sorted[index - 1]!, upTo]);
};

interface Place {
  readonly compiled: CompiledBook;
  readonly prices: ModelPrices;
  readonly facts: BoundFacts;
  readonly counters: Counters;
  readonly circumstances: Circumstances;
  readonly over: bigint;
  readonly upTo: bigint | null;
}

const scenarioOf = (place: Place, reached: Reached): Scenario => {
  const { over, upTo } = place;
  let refused: Refusal | null = null;
  const classCosts = (positions: readonly number[]): ClassCost[] => {
    let before: Priced | null = null;
    return positions.flatMap((position) => {
      const priced = priceOf(place, position);
      if (priced === 'no_price') refused ??= { refused: 'no_price', class: meters[position]! };
      if (priced === 'no_price' || priced === null) return [];
      // Neighbours at one rate over a counter are one line after another on it, and cost as much as one class.
      const isNext = before !== null && priced.rate.accumulator >= 0 && before.rate === priced.rate && isSame(before.left, priced.left);
      before = priced;
      return isNext ? [] : [priced.rate.accumulator < 0 ? requestClassCost(priced.rate.cost!, priced.left) : counterClassCost(priced.rate.cost!, priced.left, standingsOf(place, priced.rate))];
    });
  };
  const [prompt, output] = [mixOf(classCosts(reached.input)), mixOf(classCosts(reached.output))];
  const others = reached.other.flatMap(({ position, quantity }) => classCosts([position]).map((cost) => ({ cost, units: divideUp(quantity, one) })));
  const denominator = others.reduce((product, { cost }) => product * cost.denominator, 1n);
  const cost = others.reduce((sum, row) => sum + row.cost.dearest(row.units) * (denominator / row.cost.denominator), 0n);
  return { over, upTo, refused, prompt, output, other: { cost, denominator, slack: others.reduce((sum, row) => sum + row.cost.slack, 0n) } };
};

interface Priced {
  readonly rate: CompiledRate;
  readonly left: Fraction;
}

const isSame = (a: Fraction, b: Fraction): boolean => a.numerator * b.denominator === b.numerator * a.denominator;

/** Null: a request without a price for requests costs nothing. */
const priceOf = (place: Place, position: number): Priced | 'no_price' | null => {
  const { prices, circumstances, over } = place;
  const prompt = (over + 1n) * one;
  const rate = rateFor(prices, position, prompt, circumstances);
  if (!rate && meters[position] === 'request') return null;
  return rate?.cost ? { rate, left: leftOf(place, position, prompt) } : 'no_price';
};

/** The largest part of a cost that the matching discounts may leave. */
const leftOf = ({ compiled, prices, circumstances, facts, counters }: Place, position: number, prompt: Quantity): Fraction => {
  const found = prices.discounts[position]!.filter(({ conditions }) => matches(conditions, prompt, circumstances));
  const stages = found.map((discount) => {
    if (discount.stage) return discount.stage;
    const { of, opening } = compiled.accumulators[discount.accumulator]!;
    const levels = standing(counters, facts, of, opening).map((counter) => counter?.counted ?? 0n);
    return { id: discount.id, index: discount.index, left: largestLeft(discount.steps!, levels.reduce((a, b) => (a < b ? a : b))) };
  });
  // A row that chooses between discounts with steps may choose otherwise than here where rows share a discount.
  const isShared = compiled.groups.some(({ members }, index) => compiled.groups.some((other, at) => at > index && other.members.some((member) => members.includes(member))));
  const kept = isShared && found.some(({ steps }) => steps) ? [] : combineStages(stages, compiled.groups);
  return kept.reduce((product, { left }) => ({ numerator: product.numerator * left.numerator, denominator: product.denominator * left.denominator }), { numerator: 1n, denominator: 1n });
};

/** The counter at admission, and none (null) where a new period may have begun by the time of settlement. */
const standing = (counters: Counters, { account, root, atMs, settlesByMs = atMs }: BoundFacts, of: 'organization' | 'tree', { name }: Opening): readonly (Counter | null)[] => {
  const counter = counters.list(of === 'tree' ? (root ?? account) : account, name).find(({ startMs, endMs }) => atMs >= startMs && atMs < endMs);
  if (!counter) return [null];
  return counter.endMs <= settlesByMs ? [counter, null] : [counter];
};

const standingsOf = ({ compiled, counters, facts }: Place, { cost, accumulator, tracked }: CompiledRate): Standing[] => {
  const { of, opening, counts } = compiled.accumulators[accumulator]!;
  const own = tracked ? { quantity: standing(counters, facts, of, tracked.quantity), list: standing(counters, facts, of, tracked.list) } : null;
  return standing(counters, facts, of, opening).map((counter, index) => ({
    counted: counter?.counted ?? 0n,
    isNew: cost!.volume ? (own!.quantity[index]?.isNew ?? true) : (counter?.isNew ?? true),
    isWhole: (counts === 'tokens' || (counts !== 'amount' && counts.every((meter: Meter) => meter in parentClass))) && (counter?.counted ?? 0n) % one === 0n,
    list: own?.list[index]?.counted ?? 0n,
  }));
};

/** The amount that maxima of the period leave for all lines; null without one. */
const capOf = (compiled: CompiledBook, facts: BoundFacts, counters: Counters): Money | null => {
  const model = compiled.nameOf(facts.model);
  const isOf = ({ kind, models, fromMs, untilMs }: Term): boolean => kind === 'maximum' && (models === null || models.has(model)) && facts.atMs >= fromMs && facts.atMs < untilMs;
  const currencies = new Set(compiled.pricesOf(facts.model, facts.currency).rates.flatMap((list) => list.map(({ currency }) => currency)));
  if (currencies.size > 1) throw new RangeError('a bound is of one currency: name it');
  const left = compiled.terms
    .filter((term) => isOf(term) && currencies.has(term.currency))
    .flatMap(({ amount, of, opening }) => standing(counters, facts, of, opening).map((counter) => amount - (counter?.counted ?? 0n)));
  if (left.length === 0) return null;
  const least = left.reduce(minMoney);
  return least > 0n ? least : 0n;
};
