/** The slices that a gateway returns and takes in one call to the database. Pure. */
import { assert } from './assert.js';
import { applySlices, collectKeeps, createCounter, freeOf, hasReturns, type Counter } from './counter.js';
import type { Amount, Limit } from './limit.js';
import { countersOf, type CounterState, type Exchange, type ExchangeRow, type Quota, type QuotaEffect } from './quota-state.js';

/** Exchanges of one counter that come more often than this double its spare part; more seldom than the other halve it. */
const oftenMs = 1_000;
const seldomMs = 8_000;
const spareFactorMax = 1n << 14n;
/** Less than so many requests left is near a limit. */
const nearLimitWants = 32n;
/** Windows that one counter may have slices of before it takes no more ahead. */
const slicesMax = 64;

interface Wanted {
  need: Amount;
  least: Amount;
  first: Amount;
}

/** The waiting requests' shortage of each counter that may be asked for now. */
const wantedBy = (quota: Quota, nowMs: number): Map<Counter, Wanted> => {
  const wanted = new Map<Counter, Wanted>();
  for (const { parts } of quota.waiters) {
    for (const { counter, want, least } of parts) {
      if (counter.gone || want === 0n || nowMs < counter.askAgainAtMs) continue;
      const known = wanted.get(counter);
      if (known) known.need += want;
      else if (wanted.size < quota.times.rowsMax) wanted.set(counter, { need: want, least, first: want });
    }
  }
  for (const [counter, lack] of wanted) {
    const free = freeOf(counter, nowMs);
    lack.need = lack.need > free ? lack.need - free : 0n;
    lack.least = lack.least > free ? lack.least - free : 0n;
    if (lack.need === 0n) wanted.delete(counter);
  }
  return wanted;
};

/** A few seconds of use, found by doubling while exchanges come often; nothing near a limit. */
const spareOf = (counter: Counter, want: Amount, nowMs: number): Amount => {
  if (counter.nearLimit) return 0n;
  const sinceMs = nowMs - counter.askedAtMs;
  if (sinceMs < oftenMs && counter.spareFactor < spareFactorMax) counter.spareFactor *= 2n;
  else if (sinceMs > seldomMs && counter.spareFactor > 4n) counter.spareFactor /= 2n;
  return want * counter.spareFactor;
};

/** The exchange for all that wait, what is to be asked ahead and what is to be given back; none while one is under way. */
export const startExchange = (quota: Quota, askId: string, nowMs: number, withReturns = false): QuotaEffect[] => {
  if (quota.exchange) return [];
  const wanted = wantedBy(quota, nowMs);
  const rows: ExchangeRow[] = [];
  const add = (counter: Counter, need: Amount, least: Amount, want: Amount): void => {
    const keep = collectKeeps(counter, quota.times, nowMs);
    const spare = want > 0n && counter.slices.length < slicesMax ? spareOf(counter, want, nowMs) : 0n;
    if (want > 0n) counter.askedAtMs = nowMs;
    counter.aheadWant = 0n;
    rows.push({ counter, keep, need, least, spare, stopped: counter.stopped });
    counter.stopped = false;
  };
  for (const [counter, { need, least, first }] of wanted) add(counter, need, least, first);
  // Rows for who waits first: what is only ahead or over can wait for the next one.
  if (withReturns || wanted.size === 0) {
    for (const counter of countersOf(quota)) {
      if (rows.length >= quota.times.rowsMax) break;
      if (wanted.has(counter)) continue;
      if (counter.aheadWant > 0n) add(counter, 0n, 0n, counter.aheadWant);
      else if (withReturns && hasReturns(counter, quota.times, nowMs)) add(counter, 0n, 0n, 0n);
    }
  }
  if (rows.length === 0) return [];
  const [oldest] = quota.waiters;
  const [expected = askId] = quota.expected;
  const ids = [askId, expected, oldest?.id ?? askId];
  quota.exchange = { id: askId, firstUsageId: ids.reduce((first, id) => (id < first ? id : first)), rows };
  quota.exchangedAtMs = nowMs;
  quota.exchangeFailed = false;
  return [{ kind: 'exchange', exchange: quota.exchange }];
};

export const findOrCreateCounter = (quota: Quota, limit: Limit, subject: string, nowMs: number): Counter => {
  let bySubject = quota.counters.get(limit.id);
  if (!bySubject) quota.counters.set(limit.id, (bySubject = new Map()));
  let counter = bySubject.get(subject);
  if (!counter) {
    bySubject.set(subject, (counter = createCounter(limit, subject, nowMs)));
    quota.size += 1;
  }
  return counter;
};

/** Takes in what the database answered, a state a row; null where the limit is gone. */
export const applyStates = (quota: Quota, { rows }: Exchange, states: readonly (CounterState | null)[], nowMs: number): void => {
  assert(states.length === rows.length, 'an answer has a state for each row');
  for (const [index, { counter, need, spare }] of rows.entries()) {
    const state = states[index] ?? null;
    if (!state) {
      counter.gone = true;
      continue;
    }
    if (state.rest) {
      counter.restUntilMs = nowMs + quota.times.restMs;
      continue;
    }
    counter.lastTaken = applySlices(counter, state.slices, nowMs);
    counter.remaining = state.remaining;
    counter.freeAtMs = state.freeAtMs;
    counter.resetAtMs = state.resetAtMs;
    if (need + spare > 0n) counter.nearLimit = state.remaining < (need > 0n ? need : spare / counter.spareFactor) * nearLimitWants;
    const isShort = need > 0n && counter.lastTaken < need;
    counter.askAgainAtMs = isShort ? nowMs + quota.times.askAgainMs : -Infinity;
    if (isShort && !state.pending) counter.shortUntilMs = nowMs + quota.times.shortMs;
  }
};

export const forgetUnused = (quota: Quota, nowMs: number): void => {
  for (const [limitId, bySubject] of quota.counters) {
    for (const [subject, counter] of bySubject) {
      if (counter.slices.length > 0 || counter.waiting > 0 || nowMs - counter.usedAtMs < quota.times.forgetMs) continue;
      bySubject.delete(subject);
      quota.size -= 1;
    }
    if (bySubject.size === 0) quota.counters.delete(limitId);
  }
};
