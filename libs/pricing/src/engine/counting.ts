/** Additions of a rated line to accumulators, terms and the engine's own counters. */
import { minMoney, type Money } from '@kilotoken/money';
import type { Accumulator, CompiledBook, CompiledRate, ModelPrices, Term } from './compile.js';
import type { Counter, Counters, Opening } from './counters.js';
import type { Quantity } from './quantity.js';
import type { RatableUsage, RatedLine } from './rated-usage.js';

/** A usage under way, and the position in `meters` of the class that is rated. One for a whole usage: it is made for each of millions. */
export interface LineCounts {
  readonly compiled: CompiledBook;
  readonly prices: ModelPrices;
  readonly usage: RatableUsage;
  readonly counters: Counters;
  position: number;
}

export const openFor = ({ compiled, usage, counters }: LineCounts, of: 'organization' | 'tree', opening: Opening): Counter =>
  counters.openAt(of === 'tree' ? (usage.root ?? usage.account) : usage.account, opening, usage.settledAtMs ?? usage.atMs, usage.zone ?? compiled.book.zone);

export const counterOf = (counts: LineCounts, { of, opening }: Accumulator): Counter => openFor(counts, of, opening);

const add = (counter: Counter, counted: bigint): void => {
  counter.counted += counted;
  counter.isNew = false;
};

/** Counts a class's quantity, whether or not it has a price. */
export const addToAccumulators = (counts: LineCounts, quantity: Quantity, isPacked: boolean): void => {
  for (const position of counts.prices.counts[counts.position]!) {
    const accumulator = counts.compiled.accumulators[position]!;
    if (!isPacked || accumulator.countsPacks) add(counterOf(counts, accumulator), quantity);
  }
};

const isInForce = ({ fromMs, untilMs, models }: Term, atMs: number, model: string): boolean => atMs >= fromMs && atMs < untilMs && (models === null || models.has(model));

/** A commitment is due of an account that used other models alone, too. */
export const openTerms = (counts: LineCounts): void => {
  for (const term of counts.compiled.terms) if (counts.usage.atMs >= term.fromMs && counts.usage.atMs < term.untilMs) openFor(counts, term.of, term.opening);
};

/** Cuts a line at the maxima of its period, then counts its amounts. */
export const chargeTerms = (counts: LineCounts, rate: CompiledRate, quantity: Quantity, list: Money, line: RatedLine): RatedLine => {
  const { compiled, usage, prices } = counts;
  const model = compiled.nameOf(usage.model);
  let charged = line;
  const terms = compiled.terms.filter((term) => term.currency === rate.currency && isInForce(term, usage.atMs, model));
  for (const term of terms) if (term.kind === 'maximum') charged = cutLine(charged, term, openFor(counts, term.of, term.opening).counted);
  for (const term of terms) add(openFor(counts, term.of, term.opening), charged.amount);
  if (rate.tracked) {
    const { of } = rate.tracked;
    add(openFor(counts, of, rate.tracked.quantity), quantity);
    add(openFor(counts, of, rate.tracked.list), list);
    add(openFor(counts, of, rate.tracked.charged), charged.amount);
  }
  if (rate.currency === compiled.book.currency) for (const position of prices.amounts) add(counterOf(counts, compiled.accumulators[position]!), list);
  return charged;
};

/** The part above a maximum is not charged; the line says so as a discount of the maximum's name. */
const cutLine = (line: RatedLine, { id, amount }: Term, chargedBefore: Money): RatedLine => {
  const left = amount > chargedBefore ? amount - chargedBefore : 0n;
  if (line.amount <= left) return line;
  return { ...line, amount: minMoney(line.amount, left), discounts: [...line.discounts, { id, amount: line.amount - left }] };
};
