/** A gateway's state of one organization's limits, and the messages to and from it. Pure. */
import type { Counter, Keep, KeepTimes, ReservedPart, SliceState } from './counter.js';
import type { Amount, Limit } from './limit.js';

/** A request's most use of one limit. `least`: the smallest amount worth running; equal to `want` if no smaller one is. */
export interface Need {
  readonly limit: Limit;
  readonly subject: string;
  readonly want: Amount;
  readonly least: Amount;
}

export interface QuotaRequest {
  readonly id: string;
  readonly needs: readonly Need[];
}

export interface Reservation {
  readonly id: string;
  /** The moment that it is counted at. */
  readonly atMs: number;
  readonly parts: readonly ReservedPart[];
  /** Every limit that the request is under. */
  readonly counters: readonly Counter[];
  /** Soft limits that it goes beyond; of these nothing is reserved. */
  readonly warnings: readonly Limit[];
  /** How much it got of each limit where that is less than it wanted. */
  readonly shrunk: readonly { readonly limit: Limit; readonly amount: Amount }[];
}

/** Why a request is not admitted: a limit that has too little left, or null when too many wait or the wait was too long. */
export interface QuotaRefusal {
  readonly limit: Limit | null;
  readonly counter: Counter | null;
  readonly want: Amount;
  /** When it may be worth another try; null where no time says so. */
  readonly retryAtMs: number | null;
  /** More than the limit allows at all. */
  readonly tooLarge: boolean;
  /** Every limit that the request is under. */
  readonly counters: readonly Counter[];
}

export interface ExchangeRow {
  readonly counter: Counter;
  readonly keep: readonly Keep[];
  readonly need: Amount;
  readonly least: Amount;
  readonly spare: Amount;
  /** A request was stopped by this counter, or warned. */
  readonly stopped: boolean;
}

/** Executed again under the same id until its answer is known; one at a time. */
export interface Exchange {
  readonly id: string;
  readonly firstUsageId: string;
  readonly rows: readonly ExchangeRow[];
}

export interface CounterState {
  readonly remaining: Amount;
  readonly pending: boolean;
  /** The limit has as many counters as it may have: this subject shares that of the rest. */
  readonly rest: boolean;
  readonly freeAtMs: number | null;
  readonly resetAtMs: number | null;
  readonly slices: readonly SliceState[];
}

export type QuotaEffect =
  | { readonly kind: 'reserved'; readonly reservation: Reservation }
  | { readonly kind: 'refused'; readonly id: string; readonly refusal: QuotaRefusal }
  /** The database does not answer: whether the limits have room is not known. */
  | { readonly kind: 'unanswered'; readonly id: string }
  | { readonly kind: 'exchange'; readonly exchange: Exchange };

export interface QuotaTimes extends KeepTimes {
  /** How long a request may wait for what others hold. */
  waitMs: number;
  /** How long it waits instead where the database is slow to say anything. */
  answerMs: number;
  /** How many requests of one organization may wait. */
  waitersMax: number;
  /** Pause between exchanges for what was not there. */
  askAgainMs: number;
  /** For how long the database is taken at its word that it has no more. */
  shortMs: number;
  /** How often at most what is over is given back, away from a limit. */
  returnMs: number;
  /** For how long a subject is taken to share the counter of the rest, before it is asked for one of its own again. */
  restMs: number;
  /** Counters in one exchange, and counters of one organization. */
  rowsMax: number;
  countersMax: number;
}

export interface Waiter {
  readonly id: string;
  readonly parts: readonly Part[];
  readonly deadlineMs: number;
}

export interface Part extends Need {
  /** Another one when its subject turns out to share that of the rest. */
  counter: Counter;
}

export interface Quota {
  readonly times: QuotaTimes;
  /** By limit and subject. */
  readonly counters: Map<string, Map<string, Counter>>;
  size: number;
  readonly waiters: Waiter[];
  /** Requests that have not reserved yet, and may come later than younger ones; in the order of their ids. */
  readonly expected: Set<string>;
  exchange: Exchange | null;
  exchangedAtMs: number;
  /** The exchange under way has failed at least once, and is tried again. */
  exchangeFailed: boolean;
}

export const createQuota = (times: QuotaTimes): Quota => ({ times, counters: new Map(), size: 0, waiters: [], expected: new Set(), exchange: null, exchangedAtMs: -Infinity, exchangeFailed: false });

export function* countersOf(quota: Quota): Generator<Counter> {
  for (const bySubject of quota.counters.values()) yield* bySubject.values();
}
