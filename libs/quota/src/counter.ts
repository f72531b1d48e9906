/**
 * One gateway's part in one counter: a limit as it holds for one subject. Pure.
 *
 *   slice = free + held + used        for every slice, after every call
 *
 * A slice is what the database has set aside for this gateway in one window (of a rolling window: in one of its short parts).
 * A reservation moves from `free` to `held`; when its request ends, what it used is `used` and the rest `free` again.
 */
import { assert } from './assert.js';
import type { Amount, Limit } from './limit.js';

export interface Slice {
  /** The window's key in the database. */
  readonly startMs: number;
  /** Usable in [fromMs, untilMs), in database time. A window's end moves when the organization's time zone is changed. */
  readonly fromMs: number;
  untilMs: number;
  free: Amount;
  held: Amount;
  used: Amount;
  usedAtMs: number;
}

export interface Counter {
  readonly subject: string;
  limit: Limit;
  readonly slices: Slice[];
  /** The amount left in the database at the last answer, beside the slices. */
  remaining: Amount;
  /** At the last answer: when what was needed, and when everything, will have left the window. */
  freeAtMs: number | null;
  resetAtMs: number | null;
  /** Until then the database is taken at its word that it has no more than `remaining`. */
  shortUntilMs: number;
  /** Little is left for others: no spare part, and what is idle goes back soon. */
  nearLimit: boolean;
  /** Until then its subject shares the counter of the rest. */
  restUntilMs: number;
  /** The limit was deleted: whoever still asks is let pass. */
  gone: boolean;
  recalled: boolean;
  /** It stopped a request, or warned of one, and that is to be told; it was told at that time. */
  stopped: boolean;
  toldAtMs: number;
  /** A request's amount if this counter should be asked ahead of need, else 0. */
  aheadWant: Amount;
  askedAtMs: number;
  /** After an answer that gave too little. */
  askAgainAtMs: number;
  usedAtMs: number;
  lastTaken: Amount;
  spareFactor: bigint;
  waiting: number;
}

export const createCounter = (limit: Limit, subject: string, nowMs: number): Counter => ({
  subject,
  limit,
  slices: [],
  remaining: limit.amount,
  freeAtMs: null,
  resetAtMs: null,
  shortUntilMs: -Infinity,
  nearLimit: false,
  restUntilMs: -Infinity,
  gone: false,
  recalled: false,
  stopped: false,
  toldAtMs: -Infinity,
  aheadWant: 0n,
  askedAtMs: -Infinity,
  askAgainAtMs: -Infinity,
  usedAtMs: nowMs,
  lastTaken: 0n,
  spareFactor: 4n,
  waiting: 0,
});

const sumFree = (counter: Counter, counts: (slice: Slice) => boolean): Amount => {
  let free = 0n;
  for (const slice of counter.slices) if (counts(slice)) free += slice.free;
  return free;
};

/** The amount that can be reserved now. */
export const freeOf = (counter: Counter, nowMs: number): Amount => {
  let free = 0n;
  for (const slice of counter.slices) if (slice.fromMs <= nowMs && nowMs < slice.untilMs) free += slice.free;
  return free;
};

/** Also what can be reserved in a moment: this gateway's clock may be a little behind the database's. */
export const freeSoon = (counter: Counter, nowMs: number): Amount => sumFree(counter, ({ untilMs }) => nowMs < untilMs);

/** The amount that will still be free after the current part of a rolling window. */
export const freeAhead = (counter: Counter, nowMs: number): Amount =>
  counter.limit.windowKind === 'rolling' ? sumFree(counter, ({ startMs }) => nowMs < startMs) : freeOf(counter, nowMs);

/** The amount that a request may not use at the moment, for headers. */
export const remainingOf = (counter: Counter, nowMs: number): Amount => counter.remaining + freeSoon(counter, nowMs);

export interface ReservedPart {
  readonly counter: Counter;
  readonly slice: Slice;
  readonly amount: Amount;
}

/** Reserves an amount that is free, from what ends first. */
export const reserve = (counter: Counter, amount: Amount, nowMs: number, parts: ReservedPart[]): void => {
  let left = amount;
  counter.usedAtMs = nowMs;
  for (const slice of counter.slices) {
    if (left === 0n) return;
    if (slice.free === 0n || nowMs < slice.fromMs || nowMs >= slice.untilMs) continue;
    const part = slice.free < left ? slice.free : left;
    slice.free -= part;
    slice.held += part;
    slice.usedAtMs = nowMs;
    left -= part;
    parts.push({ counter, slice, amount: part });
  }
  assert(left === 0n, 'a reservation takes no more than is free');
};

/** A request ended: of a reserved part `used` was used. */
export const release = ({ slice, amount }: ReservedPart, used: Amount, nowMs: number): void => {
  assert(used >= 0n && used <= amount, 'a request uses no more than it reserved');
  slice.held -= amount;
  slice.used += used;
  slice.free += amount - used;
  slice.usedAtMs = nowMs;
  assert(slice.held >= 0n, 'a part is released once');
};

export interface Keep {
  readonly startMs: number;
  readonly keep: Amount;
  /** More of it may come back. */
  readonly open: boolean;
  readonly close: boolean;
}

export interface KeepTimes {
  readonly idleMs: number;
  readonly idleNearLimitMs: number;
  /** A counter that nobody used for this long is closed. */
  readonly forgetMs: number;
}

const isOver = (slice: Slice, nowMs: number): boolean => nowMs >= slice.untilMs;

const isIdle = (counter: Counter, slice: Slice, times: KeepTimes, nowMs: number): boolean =>
  counter.gone || counter.recalled || nowMs - slice.usedAtMs >= (counter.nearLimit ? times.idleNearLimitMs : times.idleMs);

const isForgotten = (counter: Counter, { forgetMs }: KeepTimes, nowMs: number): boolean => counter.waiting === 0 && nowMs - counter.usedAtMs >= forgetMs;

/** Whether the database should be told what this counter does not need. */
export const hasReturns = (counter: Counter, times: KeepTimes, nowMs: number): boolean =>
  counter.recalled ||
  counter.stopped ||
  counter.slices.some(
    (slice) =>
      (slice.free > 0n && (isOver(slice, nowMs) || (counter.waiting === 0 && isIdle(counter, slice, times, nowMs)))) ||
      (slice.held === 0n && (isOver(slice, nowMs) || isForgotten(counter, times, nowMs))),
  );

/**
 * The part of each slice that this gateway keeps, as absolute amounts, so that repeating it changes nothing. The rest stops
 * being usable here with this call. A closed slice is forgotten.
 */
export const collectKeeps = (counter: Counter, times: KeepTimes, nowMs: number): Keep[] => {
  const keeps: Keep[] = [];
  for (let index = counter.slices.length - 1; index >= 0; index -= 1) {
    const slice = counter.slices[index]!;
    const over = isOver(slice, nowMs);
    if (over || (counter.waiting === 0 && isIdle(counter, slice, times, nowMs))) slice.free = 0n;
    const close = slice.held === 0n && (over || isForgotten(counter, times, nowMs));
    if (close) slice.free = 0n;
    keeps.push({ startMs: slice.startMs, keep: slice.free + slice.held + slice.used, open: slice.free > 0n || (slice.held > 0n && counter.limit.measure !== 'requests'), close });
    if (close) counter.slices.splice(index, 1);
  }
  counter.recalled = false;
  return keeps;
};

export interface SliceState {
  readonly startMs: number;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly amount: Amount;
}

/** Brings the slices to what the database says that they are; more of one is free to use. Answers how much that is. */
export const applySlices = (counter: Counter, states: readonly SliceState[], nowMs: number): Amount => {
  let added = 0n;
  for (const { startMs, fromMs, untilMs, amount } of states) {
    const known = counter.slices.find((slice) => slice.startMs === startMs);
    if (known) {
      const more = amount - known.free - known.held - known.used;
      assert(more >= 0n, 'the database never takes away from a slice by itself');
      known.free += more;
      known.untilMs = untilMs;
      added += more;
      if (more > 0n) known.usedAtMs = nowMs;
      continue;
    }
    counter.slices.push({ startMs, fromMs, untilMs, free: amount, held: 0n, used: 0n, usedAtMs: nowMs });
    added += amount;
  }
  counter.slices.sort((a, b) => a.startMs - b.startMs);
  return added;
};
