/**
 * One gateway's slices of an organization's limits, and the reservations on them. Pure: every call gets the time and returns
 * the actions to take; production and the property tests run this same code.
 *
 * A request reserves its worst case in every limit that it is under, or in none. Where slices here do not cover it, it waits
 * for one exchange with the database at a time, which gives back what is not needed and takes what is. It is refused when
 * the database has no more and nobody holds any idle.
 */
import { assert } from './assert.js';
import { freeAhead, freeOf, freeSoon, release, reserve, type Counter, type ReservedPart } from './counter.js';
import { applyStates, findOrCreateCounter, forgetUnused, startExchange } from './exchange.js';
import { isBudget, restSubject, type Amount, type Limit } from './limit.js';
import { countersOf, type CounterState, type Need, type Part, type Quota, type QuotaEffect, type QuotaRefusal, type QuotaRequest, type Reservation, type Waiter } from './quota-state.js';

const aheadMsMin = 50;
const toldMsMin = 60_000;

/** An end user who is unknown here shares the rest's counter when this gateway has as many as it may have. */
const subjectHere = (quota: Quota, { limit, subject }: Need): string =>
  limit.subjectKind === 'end_user' && quota.size >= quota.times.countersMax && !quota.counters.get(limit.id)?.has(subject) ? restSubject : subject;

const counterOf = (quota: Quota, need: Need, nowMs: number): Counter => {
  const own = findOrCreateCounter(quota, need.limit, subjectHere(quota, need), nowMs);
  own.limit = need.limit;
  if (nowMs >= own.restUntilMs) return own;
  own.usedAtMs = nowMs;
  const rest = findOrCreateCounter(quota, need.limit, restSubject, nowMs);
  rest.limit = need.limit;
  return rest;
};

type Shortage = Omit<QuotaRefusal, 'counters'>;
type Attempt = { readonly kind: 'take' | 'lacking' } | { readonly kind: 'refuse'; readonly shortage: Shortage };
const tooMany: Shortage = { limit: null, counter: null, want: 0n, retryAtMs: null, tooLarge: false };
const refuse = (id: string, parts: readonly Part[], shortage: Shortage, nowMs: number): QuotaEffect => {
  if (shortage.counter) markStopped(shortage.counter, nowMs);
  return { kind: 'refused', id, refusal: { ...shortage, counters: parts.map(({ counter }) => counter) } };
};

/** That a budget stops requests is told with the next exchange; once a minute is enough for what is an event once a window. */
const markStopped = (counter: Counter, nowMs: number): void => {
  if (!isBudget(counter.limit) || nowMs - counter.toldAtMs < toldMsMin) return;
  counter.stopped = true;
  counter.toldAtMs = nowMs;
};
const taken: Attempt = { kind: 'take' };
const lacking: Attempt = { kind: 'lacking' };

/** Whether one limit lets a request pass now. */
const tryPart = ({ counter, limit, want, least }: Part, nowMs: number): Attempt => {
  if (want === 0n || counter.gone || freeOf(counter, nowMs) >= want) return taken;
  if (least > limit.amount && limit.mode === 'hard') return { kind: 'refuse', shortage: { limit, counter, want: least, retryAtMs: null, tooLarge: true } };
  if (nowMs >= counter.shortUntilMs) return lacking;
  const soon = freeSoon(counter, nowMs);
  if (least > 0n && freeOf(counter, nowMs) >= least) return taken;
  if (least <= soon + counter.remaining) return lacking;
  return limit.mode === 'soft' ? taken : { kind: 'refuse', shortage: { limit, counter, want: least, retryAtMs: counter.freeAtMs, tooLarge: false } };
};

const tryAll = (parts: readonly Part[], nowMs: number): Attempt => {
  let all: Attempt = taken;
  for (const part of parts) {
    const attempt = tryPart(part, nowMs);
    if (attempt.kind === 'refuse') return attempt;
    if (attempt.kind === 'lacking') all = lacking;
  }
  return all;
};

/** Reserves of each limit what there is of what is wanted; the caller has seen that it will do. */
const takeAll = (id: string, parts: readonly Part[], nowMs: number): Reservation => {
  const reserved: ReservedPart[] = [];
  const warnings: Limit[] = [];
  const shrunk: { limit: Limit; amount: Amount }[] = [];
  for (const { counter, limit, want, least } of parts) {
    if (want === 0n || counter.gone) continue;
    const free = freeOf(counter, nowMs);
    if (free >= want) reserve(counter, want, nowMs, reserved);
    else if (least > 0n && free >= least) {
      reserve(counter, free, nowMs, reserved);
      shrunk.push({ limit, amount: free });
    } else {
      assert(limit.mode === 'soft', 'only a soft limit is gone beyond');
      warnings.push(limit);
      markStopped(counter, nowMs);
    }
  }
  return { id, atMs: nowMs, parts: reserved, counters: parts.map(({ counter }) => counter), warnings, shrunk };
};

/** Marks what a request has nearly used up, so that the next ones find more. */
const lookAhead = (quota: Quota, parts: readonly Part[], nowMs: number): boolean => {
  if (quota.exchange) return false;
  let due = false;
  for (const { counter, want } of parts) {
    if (counter.nearLimit || counter.gone || want === 0n || nowMs - counter.askedAtMs < aheadMsMin) continue;
    if (freeAhead(counter, nowMs) > counter.lastTaken / 4n) continue;
    counter.aheadWant = want;
    due = true;
  }
  return due;
};

/** Reserves at once where the slices cover it, else waits or is refused. `askId` is used if an exchange is due. */
export const requestReservation = (quota: Quota, request: QuotaRequest, askId: string, nowMs: number): QuotaEffect[] => {
  const parts = request.needs.map((need): Part => ({ limit: need.limit, subject: need.subject, want: need.want, least: need.least, counter: counterOf(quota, need, nowMs) }));
  // Earlier requests wait for the same and are served first.
  const attempt = parts.some(({ counter }) => counter.waiting > 0) ? lacking : tryAll(parts, nowMs);
  if (attempt.kind === 'refuse') return [refuse(request.id, parts, attempt.shortage, nowMs)];
  if (attempt.kind === 'take') {
    const effects: QuotaEffect[] = [{ kind: 'reserved', reservation: takeAll(request.id, parts, nowMs) }];
    return lookAhead(quota, parts, nowMs) ? [...effects, ...startExchange(quota, askId, nowMs)] : effects;
  }
  if (quota.waiters.length >= quota.times.waitersMax || quota.size > quota.times.countersMax) {
    return [isLate(quota, nowMs) ? { kind: 'unanswered', id: request.id } : refuse(request.id, parts, tooMany, nowMs)];
  }
  quota.waiters.push({ id: request.id, parts, deadlineMs: nowMs + quota.times.waitMs });
  for (const { counter } of parts) counter.waiting += 1;
  return startExchange(quota, askId, nowMs);
};

/** An exchange failed, or takes longer than a request waits for other gateways: who waits does not wait for a limit. */
const isLate = ({ exchange, exchangeFailed, exchangedAtMs, times }: Quota, nowMs: number): boolean =>
  exchange !== null && (exchangeFailed || nowMs - exchangedAtMs >= times.waitMs);

/** The exchange under way did not reach the database, or its answer was lost; it is executed again. */
export const failExchange = (quota: Quota): void => {
  quota.exchangeFailed = true;
};

/** Those that wait for a counter of their own and are to share the rest's. */
const redirectWaiters = (quota: Quota, nowMs: number): void => {
  for (const { parts } of quota.waiters) {
    for (const part of parts) {
      if (nowMs >= part.counter.restUntilMs) continue;
      const rest = findOrCreateCounter(quota, part.limit, restSubject, nowMs);
      part.counter.waiting -= 1;
      rest.waiting += 1;
      part.counter = rest;
    }
  }
};

const leave = (quota: Quota, index: number): Waiter => {
  const [waiter] = quota.waiters.splice(index, 1);
  for (const { counter } of waiter!.parts) counter.waiting -= 1;
  return waiter!;
};

/** Serves who waits, in their order; who waits for nothing that another one before waits for is not held up by it. */
const serve = (quota: Quota, nowMs: number): QuotaEffect[] => {
  const effects: QuotaEffect[] = [];
  const waitedFor = new Set<Counter>();
  for (let index = 0; index < quota.waiters.length; ) {
    const { id, parts } = quota.waiters[index]!;
    const attempt = parts.some(({ counter }) => waitedFor.has(counter)) ? lacking : tryAll(parts, nowMs);
    if (attempt.kind === 'lacking') {
      for (const { counter } of parts) waitedFor.add(counter);
      index += 1;
      continue;
    }
    leave(quota, index);
    if (attempt.kind === 'refuse') effects.push(refuse(id, parts, attempt.shortage, nowMs));
    else effects.push({ kind: 'reserved', reservation: takeAll(id, parts, nowMs) });
  }
  return effects;
};

/** An exchange was answered, a state a row; null where the limit is gone. `askId` is used if another one is due. */
export const receiveStates = (quota: Quota, states: readonly (CounterState | null)[], askId: string, nowMs: number): QuotaEffect[] => {
  const { exchange } = quota;
  assert(exchange !== null, 'an answer follows an exchange');
  quota.exchange = null;
  applyStates(quota, exchange, states, nowMs);
  redirectWaiters(quota, nowMs);
  return [...serve(quota, nowMs), ...startExchange(quota, askId, nowMs)];
};

/** A request ended: what it used of each measure; null where it used nothing at all, as when it was refused. */
export const endReservation = (quota: Quota, { parts }: Reservation, used: ((limit: Limit) => Amount) | null, nowMs: number): QuotaEffect[] => {
  // One reservation may have parts of several slices of a counter: what was used fills them in their order.
  let counter: Counter | null = null;
  let left = 0n;
  for (const part of parts) {
    if (part.counter !== counter) {
      counter = part.counter;
      left = used ? used(counter.limit) : 0n;
    }
    const amount = left < part.amount ? left : part.amount;
    release(part, amount, nowMs);
    left -= amount;
  }
  return quota.waiters.length > 0 ? serve(quota, nowMs) : [];
};

/** A waiting client went away. */
export const cancelRequest = (quota: Quota, id: string): void => {
  const index = quota.waiters.findIndex((waiter) => waiter.id === id);
  if (index >= 0) leave(quota, index);
};

/** Limits of the organization changed: what is idle goes back now, and what was short is asked for again. */
export const recallAll = (quota: Quota): void => {
  for (const counter of countersOf(quota)) {
    counter.recalled = true;
    counter.shortUntilMs = -Infinity;
    counter.askAgainAtMs = -Infinity;
  }
};

/** Another gateway needs what is idle here. */
export const recallCounter = (quota: Quota, limitId: string, subject: string): void => {
  const counter = quota.counters.get(limitId)?.get(subject);
  if (counter) counter.recalled = true;
};

/**
 * Lets those go who have waited too long. A limit is said to be reached only to who has waited for other gateways: where the
 * database itself is late it is waited for a little longer, and what is said then is that nothing is known.
 */
const expireWaiters = (quota: Quota, nowMs: number): QuotaEffect[] => {
  const effects: QuotaEffect[] = [];
  const late = isLate(quota, nowMs);
  const { waitMs, answerMs } = quota.times;
  const moreMs = late && !quota.exchangeFailed ? answerMs - waitMs : 0;
  for (let index = 0; index < quota.waiters.length; ) {
    if (nowMs < quota.waiters[index]!.deadlineMs + moreMs) {
      index += 1;
      continue;
    }
    const { id, parts } = leave(quota, index);
    if (late) {
      effects.push({ kind: 'unanswered', id });
      continue;
    }
    const short = parts.find(({ counter, want }) => freeOf(counter, nowMs) < want);
    // A later request would wait in vain as long.
    if (short && !quota.exchange) short.counter.shortUntilMs = nowMs + quota.times.shortMs;
    effects.push(refuse(id, parts, short ? { limit: short.limit, counter: short.counter, want: short.want, retryAtMs: null, tooLarge: false } : tooMany, nowMs));
  }
  return effects;
};

/** Refuses who has waited too long, serves who can be, and starts the exchange that is due. Called every few tens of milliseconds. */
export const tickQuota = (quota: Quota, askId: string, nowMs: number): QuotaEffect[] => {
  const effects = expireWaiters(quota, nowMs);
  effects.push(...serve(quota, nowMs));
  const withReturns = nowMs - quota.exchangedAtMs >= quota.times.returnMs;
  effects.push(...startExchange(quota, askId, nowMs, withReturns));
  if (withReturns && !quota.exchange) forgetUnused(quota, nowMs);
  return effects;
};

/** Whether anything is set aside here that nobody uses. */
export const hasFree = (quota: Quota): boolean => {
  for (const counter of countersOf(quota)) if (counter.recalled || counter.slices.some(({ free }) => free > 0n)) return true;
  return false;
};
