/**
 * Counters: how far an account's accumulators and terms stand in a period. Rating reads them and adds to them; whoever calls it loads them and
 * stores them. Besides the book's accumulators there are the engine's own, whose names begin with `#`: what a rate or a term charged in
 * a period that its end will look at.
 */
import type { Period } from '../book/price-book.js';
import { periodAt, type PeriodSpan } from './period.js';

export interface Counter extends PeriodSpan {
  readonly name: string;
  readonly account: string;
  /** The zone in which the period was opened; later changes of an organization's zone leave it as it is. */
  readonly zone: string;
  /** A quantity or an amount, in 10⁻¹². */
  counted: bigint;
  /** Nothing was rated on it yet. */
  isNew: boolean;
}

/** The terms of a counter that is opened at its first use. */
export interface Opening {
  readonly name: string;
  readonly period: Period;
  readonly contractStarts: string | null;
}

export interface Counters {
  /** The counter whose period has the instant; opened where there is none. */
  openAt(account: string, opening: Opening, atMs: number, zone: string): Counter;
  /** By the beginning of their periods. */
  list(account: string, name: string): readonly Counter[];
  accounts(): Iterable<string>;
  all(): Counter[];
}

export const createCounters = (stored: Iterable<Omit<Counter, 'isNew'>> = []): Counters => {
  const byAccount = new Map<string, Map<string, Counter[]>>();
  const listOf = (account: string, name: string): Counter[] => {
    let named = byAccount.get(account);
    if (!named) byAccount.set(account, (named = new Map()));
    let counters = named.get(name);
    if (!counters) named.set(name, (counters = []));
    return counters;
  };
  const add = (counters: Counter[], counter: Counter): Counter => {
    const next = counters.findIndex(({ startMs }) => startMs > counter.startMs);
    counters.splice(next < 0 ? counters.length : next, 0, counter);
    return counter;
  };
  for (const counter of stored) add(listOf(counter.account, counter.name), { ...counter, isNew: false });
  return {
    openAt: (account, { name, period, contractStarts }, atMs, zone) => {
      const counters = listOf(account, name);
      for (let index = counters.length - 1; index >= 0; index -= 1) {
        const counter = counters[index]!;
        if (atMs >= counter.startMs && atMs < counter.endMs) return counter;
      }
      const { startMs, endMs } = periodAt(period, atMs, zone, contractStarts);
      // After a change of the zone the new period fills the time that those beside it leave.
      const before = counters.findLast((counter) => counter.endMs <= atMs);
      const after = counters.find((counter) => counter.startMs > atMs);
      return add(counters, { name, account, zone, startMs: Math.max(startMs, before?.endMs ?? startMs), endMs: Math.min(endMs, after?.startMs ?? endMs), counted: 0n, isNew: true });
    },
    list: (account, name) => byAccount.get(account)?.get(name) ?? [],
    accounts: () => byAccount.keys(),
    all: () => [...byAccount.values()].flatMap((named) => [...named.values()].flat()),
  };
};
