/** Compiles a price book into tables by model and class, so that rating a usage neither parses nor searches. */
import { parseMoney, type Money } from '@kilotoken/money';
import { meters, sideOf, type Meter } from '../book/book-values.js';
import type { BookAccumulator, BookRate, PeriodTerm, PriceBook } from '../book/price-book.js';
import type { Opening } from './counters.js';
import { compileDiscount, type Discount, type StackingGroup } from './discount.js';
import { createNameResolver } from './model-names.js';
import { rateCostOf, type RateCost } from './rate-cost.js';
import { compileConditions, compileWindows, type Conditions } from './select.js';
import { instantOf } from './zone-clock.js';

export interface CompiledRate {
  readonly id: string;
  readonly classes: readonly Meter[];
  readonly currency: string;
  readonly per: bigint;
  readonly conditions: Conditions;
  /** Null: no price, usage is refused. */
  readonly cost: RateCost | null;
  /** The accumulator over which steps count; -1: the request. */
  readonly accumulator: number;
  /** Counters of the period's own: set where the end of the period, or a maximum, looks at earlier charges. */
  readonly tracked: TrackedRate | null;
}

export interface TrackedRate {
  readonly of: 'organization' | 'tree';
  readonly quantity: Opening;
  readonly list: Opening;
  readonly charged: Opening;
}

export interface Accumulator {
  readonly opening: Opening;
  readonly of: 'organization' | 'tree';
  readonly counts: BookAccumulator['counts'];
  readonly models: ReadonlySet<string> | null;
  readonly countsPacks: boolean;
}

export type TermKind = 'commitment' | 'minimum' | 'maximum';

export interface Term {
  readonly kind: TermKind;
  readonly id: string;
  readonly amount: Money;
  readonly currency: string;
  readonly of: 'organization' | 'tree';
  readonly models: ReadonlySet<string> | null;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly opening: Opening;
}

/** One model's part of a book. Lists are by the position of a class in `meters`. */
export interface ModelPrices {
  /** The first that matches applies: the class's own rates, then its parent's. */
  readonly rates: readonly (readonly CompiledRate[])[];
  readonly discounts: readonly (readonly Discount[])[];
  /** Positions of accumulators of quantities. */
  readonly counts: readonly (readonly number[])[];
  /** Positions of accumulators of amounts. */
  readonly amounts: readonly number[];
  readonly usesPrompt: boolean;
  /** Whether anything counts at all. */
  readonly counting: boolean;
}

export interface CompiledBook {
  readonly book: PriceBook;
  /** Positions in lists are those of `accumulators`. */
  readonly accumulators: readonly Accumulator[];
  readonly rates: readonly CompiledRate[];
  readonly groups: readonly StackingGroup[];
  readonly terms: readonly Term[];
  /** The prices of a model, in one currency or in all. */
  pricesOf(model: string, currency?: string): ModelPrices;
  /** The name that a model has in the book. */
  nameOf(model: string): string;
}

/** Throws a RangeError only for mistakes that validation refuses. */
export const compileBook = (book: PriceBook): CompiledBook => {
  const names = Object.keys(book.accumulators);
  const contractStarts = book.contract?.starts ?? null;
  const accumulators = Object.entries(book.accumulators).map(([name, row]) => compileAccumulator(name, row, contractStarts));
  const positionOf = (name: string | undefined): number => {
    if (name === undefined || name === 'request') return -1;
    const position = names.indexOf(name);
    if (position < 0) throw new RangeError(`there is no accumulator called ${name}`);
    return position;
  };
  const windows = compileWindows(book);
  const rates = book.rates.map((row) => compileRate(row, compileConditions(row.when, book.zone, windows), positionOf(overOf(row)), accumulators));
  const discounts = book.discounts.map((row, index) => compileDiscount(row, index, compileConditions(row.when, book.zone, windows), typeof row.percent === 'string' ? -1 : positionOf(row.percent.over)));
  const terms = (['commitments', 'minimums', 'maximums'] as const).flatMap((kind) => book[kind].map((row) => compileTerm(kind.slice(0, -1) as TermKind, row, book)));
  const resolver = createNameResolver(book);
  const byModel = groupByModel(book.rates);
  const tables = new Map<string, Map<string, ModelPrices>>();
  const compiled: CompiledBook = {
    book,
    accumulators,
    rates,
    groups: book.stacking.map(({ combine, discounts: members }) => ({ combine, members: members.map((id) => book.discounts.findIndex((row) => row.id === id)) })),
    terms,
    nameOf: resolver,
    pricesOf: (model, currency = '') => {
      let table = tables.get(currency);
      if (!table) tables.set(currency, (table = new Map()));
      const name = resolver(model);
      let prices = table.get(name);
      if (!prices) table.set(name, (prices = compileModel(name, currency, book, { byModel, rates, discounts, accumulators, terms })));
      return prices;
    },
  };
  return compiled;
};

const overOf = ({ price }: BookRate): string | undefined => (price !== null && 'over' in price ? price.over : undefined);

const compileAccumulator = (name: string, { counts, models, period, of, packs }: BookAccumulator, contractStarts: string | null): Accumulator => ({
  opening: { name, period, contractStarts },
  of,
  counts,
  models: models && new Set(models.map((model) => model.toLowerCase())),
  countsPacks: packs === 'include',
});

const compileRate = (row: BookRate, conditions: Conditions, accumulator: number, accumulators: readonly Accumulator[]): CompiledRate => {
  const cost = rateCostOf(row);
  const over = accumulators[accumulator];
  if (over && !countsAllOf(over, row)) throw new RangeError(`rate ${row.id} has steps over ${over.opening.name}, which does not count all of its classes and models`);
  const isTracked = over && cost && (cost.volume || cost.minimum !== null || cost.maximum !== null);
  const opening = (word: string): Opening => ({ ...over!.opening, name: `#${word} ${row.id}` });
  return {
    id: row.id,
    classes: row.classes,
    currency: row.currency,
    per: BigInt(row.per),
    conditions,
    cost,
    accumulator,
    tracked: isTracked ? { of: over.of, quantity: opening('quantity'), list: opening('list'), charged: opening('charged') } : null,
  };
};

/** Steps count the quantity that the rate prices. */
const countsAllOf = ({ counts, models }: Accumulator, row: BookRate): boolean =>
  row.classes.every((meter) => (counts === 'tokens' ? meter in sideOf : counts !== 'amount' && counts.includes(meter))) &&
  (models === null || (row.models !== '*' && row.models.every((model) => models.has(model.toLowerCase()))));

const compileTerm = (kind: TermKind, row: PeriodTerm, book: PriceBook): Term => ({
  kind,
  id: row.id,
  amount: parseMoney(row.amount),
  currency: row.currency,
  of: row.of,
  models: row.models && new Set(row.models.map((model) => model.toLowerCase())),
  fromMs: row.from === undefined ? -Infinity : instantOf(row.from, book.zone),
  untilMs: row.until === undefined ? Infinity : instantOf(row.until, book.zone),
  opening: { name: `#${kind} ${row.id}`, period: row.period, contractStarts: book.contract?.starts ?? null },
});

interface Parts {
  /** Positions of rates by model; those for "*" apart. */
  readonly byModel: ReadonlyMap<string, readonly number[]>;
  readonly rates: readonly CompiledRate[];
  readonly discounts: readonly Discount[];
  readonly accumulators: readonly Accumulator[];
  readonly terms: readonly Term[];
}

const groupByModel = (rows: readonly BookRate[]): Map<string, number[]> => {
  const byModel = new Map<string, number[]>();
  for (const [position, { models }] of rows.entries()) {
    for (const model of models === '*' ? ['*'] : new Set(models.map((name) => name.toLowerCase()))) {
      const positions = byModel.get(model);
      if (positions) positions.push(position);
      else byModel.set(model, [position]);
    }
  }
  return byModel;
};

const isFor = (models: '*' | readonly string[], name: string): boolean => models === '*' || models.some((model) => model.toLowerCase() === name);

const parentOf = (meter: Meter): Meter | null => {
  const parent = sideOf[meter] ?? meter;
  return parent === meter ? null : parent;
};

const compileModel = (name: string, currency: string, book: PriceBook, { byModel, rates, discounts, accumulators, terms }: Parts): ModelPrices => {
  /** The most specific first; without a currency, the book's own before others. */
  const ordered = (positions: readonly number[]): CompiledRate[] =>
    positions
      .map((position) => rates[position]!)
      .filter((rate) => currency === '' || rate.currency === currency)
      .sort((a, b) => b.conditions.count - a.conditions.count || Number(b.currency === book.currency) - Number(a.currency === book.currency));
  const all = [...(name === '*' ? [] : ordered(byModel.get(name) ?? [])), ...ordered(byModel.get('*') ?? [])];
  const own = (meter: Meter): CompiledRate[] => all.filter(({ classes }) => classes.includes(meter));
  const counting = accumulators.map(({ models }, position) => ({ position, counts: accumulators[position]!.counts, isFor: models === null || models.has(name) })).filter((row) => row.isFor);
  const ofMeter = meters.map((meter) => {
    const parent = parentOf(meter);
    return {
      rates: parent === null ? own(meter) : [...own(meter), ...own(parent)],
      discounts: discounts.filter(({ index }) => isFor(book.discounts[index]!.models, name) && (book.discounts[index]!.classes?.includes(meter) ?? true)),
      counts: counting.filter(({ counts }) => (counts === 'tokens' ? meter in sideOf : counts !== 'amount' && counts.includes(meter))).map(({ position }) => position),
    };
  });
  const amounts = counting.filter(({ counts }) => counts === 'amount').map(({ position }) => position);
  const usesContext = (conditions: Conditions): boolean => conditions.over !== null || conditions.upTo !== null;
  return {
    rates: ofMeter.map((row) => row.rates),
    discounts: ofMeter.map((row) => row.discounts),
    counts: ofMeter.map((row) => row.counts),
    amounts,
    usesPrompt: ofMeter.some((row) => row.rates.some(({ conditions }) => usesContext(conditions)) || row.discounts.some(({ conditions }) => usesContext(conditions))),
    counting: counting.length > 0 || terms.length > 0,
  };
};
