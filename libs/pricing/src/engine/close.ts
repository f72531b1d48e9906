/**
 * The end of periods: lines of their own that no usage has. A price by volume is trued up to the step that the period reached; a rate's or a book's
 * minimum is made up; the shortfall of a commitment is due. Closing adds its lines to the counters, so closing again answers nothing, and after a late usage
 * the difference.
 */
import { divideHalfEven, minMoney, type Money } from '@kilotoken/money';
import type { CompiledBook, CompiledRate, Term } from './compile.js';
import type { Counter, Counters } from './counters.js';
import { periodAt } from './period.js';
import { roundCost } from './rate-cost.js';
import type { RatedLine } from './rated-usage.js';
import { clockOf, dayMs, localMidnight } from './zone-clock.js';

/** A line that the end of a period made. */
export interface ClosingLine extends RatedLine {
  readonly account: string;
  readonly period: { readonly startMs: number; readonly endMs: number };
}

/** Periods of a term without usage are looked at for this many years. */
const termPeriodsMax = 1_200;

/**
 * Closes the periods that end after `sinceMs` and at `untilMs` or before. Without `sinceMs` a commitment is due for each period since it began; an
 * account is known once any usage of it was rated on these counters.
 */
export const closePeriods = (compiled: CompiledBook, counters: Counters, untilMs: number, sinceMs = -Infinity): ClosingLine[] => {
  const lines: ClosingLine[] = [];
  const isDue = ({ endMs }: { readonly endMs: number }): boolean => endMs > sinceMs && endMs <= untilMs;
  for (const account of [...counters.accounts()].sort()) {
    for (const rate of compiled.rates) {
      if (!rate.tracked) continue;
      for (const counter of counters.list(account, rate.tracked.quantity.name)) if (isDue(counter)) lines.push(...closeRate(compiled, counters, rate, counter));
    }
    for (const term of compiled.terms) {
      if (term.kind === 'maximum') continue;
      for (const counter of periodsOf(compiled, counters, term, account, untilMs)) if (isDue(counter)) lines.push(...closeTerm(term, counter));
    }
  }
  return lines;
};

const closeRate = (compiled: CompiledBook, counters: Counters, rate: CompiledRate, quantity: Counter): ClosingLine[] => {
  const { volume, minimum, maximum, divide, base, rounding } = rate.cost!;
  const { account, startMs, zone } = quantity;
  const at = (opening: { readonly name: string }): Counter => counters.openAt(account, { ...rate.tracked!.quantity, name: opening.name }, startMs, zone);
  const [list, charged] = [at(rate.tracked!.list), at(rate.tracked!.charged)];
  const lines: ClosingLine[] = [];
  const add = (amount: Money, reason: 'true_up' | 'minimum'): void => {
    if (amount === 0n) return;
    charged.counted += amount;
    lines.push({ ...closingLine(rate.id, rate.currency, amount, reason, quantity), class: rate.classes[0]!, quantity: quantity.counted, per: rate.per });
  };
  if (volume) {
    const { counted } = at(compiled.accumulators[rate.accumulator]!.opening);
    const step = volume.stepAt(divide ? divide(counted) : counted);
    const flat = counted > 0n || volume.cost(0n) > 0n ? step.flat : 0n;
    const units = divide ? divide(quantity.counted) : quantity.counted;
    const total = roundCost(units * step.amount + flat + base * volume.divisor, volume.divisor, rounding);
    const due = (maximum === null ? total : minMoney(total, maximum)) - list.counted;
    list.counted += due;
    // With the mean of the discounts that the period's lines had.
    const before = list.counted - due;
    add(before === charged.counted || before === 0n ? due : divideHalfEven(due * charged.counted, before), 'true_up');
  }
  if (minimum !== null && charged.counted < minimum) add(minimum - charged.counted, 'minimum');
  return lines;
};

const closingLine = (rateId: string, currency: string, amount: Money, reason: NonNullable<RatedLine['reason']>, { account, startMs, endMs }: Counter): ClosingLine => ({
  usageId: null,
  rateId,
  class: null,
  quantity: 0n,
  unitPrice: null,
  per: 1n,
  amount,
  currency,
  discounts: [],
  reason,
  account,
  period: { startMs, endMs },
});

const closeTerm = (term: Term, counter: Counter): ClosingLine[] => {
  const missing = term.amount - counter.counted;
  if (missing <= 0n) return [];
  counter.counted = term.amount;
  return [closingLine(term.id, term.currency, missing, term.kind === 'commitment' ? 'shortfall' : 'minimum', counter)];
};

/** The periods of a term in force, those without usage too. A period in which it begins or ends is due in full. */
const periodsOf = ({ book }: CompiledBook, counters: Counters, { opening, kind, fromMs, untilMs: termEndMs }: Term, account: string, untilMs: number): readonly Counter[] => {
  const known = counters.list(account, opening.name);
  if (known.length === 0 || kind !== 'commitment') return known;
  const { zone } = known[0]!;
  const contract = book.contract;
  const contractStart = contract ? clockOf(zone).dayBegins(localMidnight(contract.starts)) : -Infinity;
  const contractEnd = contract?.ends === undefined ? Infinity : clockOf(zone).dayBegins(localMidnight(contract.ends) + dayMs);
  const begin = Math.max(fromMs, contractStart);
  const end = Math.min(termEndMs, contractEnd, untilMs);
  let atMs = begin === -Infinity ? known[0]!.startMs : begin;
  for (let count = 0; count < termPeriodsMax && atMs < end; count += 1) {
    const { endMs } = periodAt(opening.period, atMs, zone, opening.contractStarts);
    if (endMs > untilMs) break;
    atMs = counters.openAt(account, opening, atMs, zone).endMs;
  }
  return counters.list(account, opening.name);
};
