/**
 * One gateway's leases of one organization's grants in one unit, and the holds on them. Pure: every call gets the time and
 * returns the actions to take; production and the interleaving tests run this same code.
 *
 *   slice = free + held + settled        for every lease, after every call
 *
 * A lease is a slice of a grant, taken from Postgres. A hold takes from `free` in burn order; settling moves what was charged
 * to `settled` and the rest back to `free`. `settled` counts what is committed, never what is on its way.
 *
 * Requests that the leases here do not cover wait, first-in first-out, for one ask to Postgres at a time.
 */
import { assert } from './assert.js';
import type { Money } from '@kilotoken/money';
import { compareRank, mayPay, unspentOf, type BurnRank, type Hold, type HoldPart, type Lease } from './lease.js';

export interface HoldRequest {
  /** The request's id. A lease knows the oldest request that can use it: ids ascend, but for requests in `Wallet.oldestPending`. */
  readonly id: string;
  readonly model: string;
  readonly want: Money;
  /** A smaller hold that would do where money is short; equal to `want` where the client set its own maximum. */
  readonly least: Money;
  /**
   * Takes what there is where that is less, even nothing, once the grants are known to have no more to give now: other units pay
   * the rest. Such a request is never refused.
   */
  readonly remainder?: boolean;
}

interface Waiter extends HoldRequest {
  readonly deadlineMs: number;
}

/** A request for leases to Postgres, repeated under the same id until the answer is known. */
export interface Ask {
  readonly id: string;
  readonly model: string;
  /** The hold of the request that made it ask: the measure of what is little. */
  readonly want: Money;
  readonly need: Money;
  readonly least: Money;
  readonly spare: Money;
  readonly firstUsageId: string;
}

export interface LeaseGranted {
  readonly leaseId: string;
  readonly grantId: string;
  readonly slice: Money;
  readonly models: readonly string[] | null;
  readonly rank: BurnRank;
}

/** `available` and `leased`: totals of the grants that may pay for the asked model, after the ask. */
export interface AskAnswer {
  readonly leases: readonly LeaseGranted[];
  readonly available: Money;
  readonly leased: Money;
}

export type Refusal = 'insufficient_quota' | 'balance_held' | 'too_many_waiting';

export type WalletEffect =
  | { readonly kind: 'admitted'; readonly hold: Hold }
  | { readonly kind: 'refused'; readonly id: string; readonly reason: Refusal }
  | { readonly kind: 'ask'; readonly ask: Ask };

export interface WalletLimits {
  /** How long a request may wait for money that others hold. */
  floorWaitMs: number;
  /** How many requests of one organization may wait. */
  floorWaiters: number;
  /** An unused lease goes back after this long. */
  idleLeaseMs: number;
  /** The same where the last ask found too little. */
  idleLeaseNearFloorMs: number;
  /** Pause between asks while requests wait for money that others hold. */
  askAgainMs: number;
}

export interface Wallet {
  readonly limits: WalletLimits;
  readonly leases: Lease[];
  readonly waiters: Waiter[];
  ask: Ask | null;
  /** The last ask that was answered: before the first nothing is known of the grants. */
  answered: { readonly model: string; readonly askedAtMs: number } | null;
  /** The grants' available and otherwise leased amounts at the last answer. */
  available: Money;
  leasedElsewhere: Money;
  nearFloor: boolean;
  askedAtMs: number;
  /** The amount of the last answer; when a quarter of it is left, the wallet asks ahead. */
  lastGranted: Money;
  /** The spare part of an ask, as a multiple of a request's hold: what some seconds spend. */
  spareFactor: bigint;
  usedAtMs: number;
  lastRequestId: string;
  /** A lower bound of the ids of requests that are being funded from several wallets, and may come to this one late; null is none. */
  oldestPending: string | null;
  /** The model whose grants had nothing more at the last answer, and until when that is believed. */
  exhausted: { readonly model: string; readonly untilMs: number } | null;
}

const spareFactorMin = 4n;
const spareFactorMax = 1n << 14n;
/** Asks that come more often than the first double the spare part; more seldom than the second halve it. */
const oftenMs = 4_000;
const seldomMs = 30_000;
const askAheadMsMin = 50;
/** Fewer holds than this left in the grants is near the floor: no spare part, and idle leases return soon. */
const nearFloorHolds = 32n;
/** How long grants without anything available are not asked again on behalf of requests that other units can pay. */
const exhaustedMs = 1_000;

export const createWallet = (limits: WalletLimits, nowMs: number): Wallet => ({
  limits,
  leases: [],
  waiters: [],
  ask: null,
  answered: null,
  available: 0n,
  leasedElsewhere: 0n,
  nearFloor: false,
  askedAtMs: -Infinity,
  lastGranted: 0n,
  spareFactor: spareFactorMin,
  usedAtMs: nowMs,
  lastRequestId: '',
  oldestPending: null,
  exhausted: null,
});

const paysFor = (lease: Lease, model: string, nowMs: number): boolean => lease.free > 0n && mayPay(lease, model, nowMs);

/** Sums an amount over the leases that may pay for a model. */
const sumFor = (wallet: Wallet, model: string, nowMs: number, amountOf: (lease: Lease) => Money): Money =>
  wallet.leases.reduce((sum, lease) => (mayPay(lease, model, nowMs) ? sum + amountOf(lease) : sum), 0n);

/** The most that a model could be paid with, once all leases and holds have come back. */
const recoverableFor = (wallet: Wallet, model: string, nowMs: number): Money => wallet.available + wallet.leasedElsewhere + sumFor(wallet, model, nowMs, unspentOf);

const freeFor = (wallet: Wallet, model: string, nowMs: number): Money => {
  let free = 0n;
  for (const lease of wallet.leases) if (paysFor(lease, model, nowMs)) free += lease.free;
  return free;
};

/** Takes `amount` from the leases in burn order; the caller has seen that it is there. */
const take = (wallet: Wallet, request: HoldRequest, amount: Money, nowMs: number): Hold => {
  const parts: HoldPart[] = [];
  let left = amount;
  for (const lease of wallet.leases) {
    if (left === 0n) break;
    if (!paysFor(lease, request.model, nowMs)) continue;
    const part = lease.free < left ? lease.free : left;
    lease.free -= part;
    lease.held += part;
    lease.usedAtMs = nowMs;
    left -= part;
    parts.push({ lease, amount: part });
  }
  assert(left === 0n, 'a hold takes no more than is free');
  wallet.usedAtMs = nowMs;
  return { id: request.id, total: amount, parts };
};

/** The unspent amount here, free and held. */
export const unspent = (wallet: Wallet): Money => wallet.leases.reduce((sum, lease) => sum + unspentOf(lease), 0n);

/** The ask for all that wait for the first waiter's model, and a spare part; null while one is under way. */
const nextAsk = (wallet: Wallet, askId: string, nowMs: number): Ask | null => {
  const first = wallet.waiters[0];
  if (wallet.ask || !first) return null;
  const free = freeFor(wallet, first.model, nowMs);
  const wanted = wallet.waiters.reduce((sum, waiter) => (waiter.model === first.model ? sum + waiter.want : sum), 0n);
  const atLeast = (amount: Money): Money => (amount > 0n ? amount : 0n);
  return startAsk(wallet, nowMs, {
    id: askId,
    model: first.model,
    want: first.want,
    need: atLeast(wanted - free),
    least: atLeast(first.least - free),
    spare: spareOf(wallet, first.want, nowMs),
    firstUsageId: oldest(wallet, first.id),
  });
};

/** Ids are ordered by time, so texts compare as they do. */
const oldest = ({ oldestPending }: Wallet, id: string): string => (oldestPending !== null && oldestPending < id ? oldestPending : id);

/** A few seconds of spend, found by doubling while asks come often; nothing near the floor. */
const spareOf = (wallet: Wallet, want: Money, nowMs: number): Money => {
  if (wallet.nearFloor) return 0n;
  const sinceMs = nowMs - wallet.askedAtMs;
  if (sinceMs < oftenMs && wallet.spareFactor < spareFactorMax) wallet.spareFactor *= 2n;
  else if (sinceMs > seldomMs && wallet.spareFactor > spareFactorMin) wallet.spareFactor /= 2n;
  return want * wallet.spareFactor;
};

const startAsk = (wallet: Wallet, nowMs: number, ask: Ask): Ask => {
  wallet.ask = ask;
  wallet.askedAtMs = nowMs;
  return ask;
};

/** Asks ahead of need, so that away from the floor no request waits. */
const askAhead = (wallet: Wallet, request: HoldRequest, askId: string, nowMs: number): Ask | null => {
  if (wallet.ask || wallet.nearFloor || nowMs - wallet.askedAtMs < askAheadMsMin || request.want === 0n) return null;
  if (freeFor(wallet, request.model, nowMs) > wallet.lastGranted / 4n) return null;
  return startAsk(wallet, nowMs, {
    id: askId,
    model: request.model,
    want: request.want,
    need: 0n,
    least: 0n,
    spare: spareOf(wallet, request.want, nowMs),
    firstUsageId: oldest(wallet, request.id),
  });
};

/** Holds at once where the leases cover it, else waits its turn. `askId` is used if an ask is due. */
export const requestHold = (wallet: Wallet, request: HoldRequest, askId: string, nowMs: number): WalletEffect[] => {
  assert(request.id > wallet.lastRequestId || (wallet.oldestPending !== null && request.id >= wallet.oldestPending), 'requests hold in the order of their ids, or are known to be pending');
  if (request.id > wallet.lastRequestId) wallet.lastRequestId = request.id;
  assert(request.least > 0n ? request.least <= request.want : request.least === 0n, 'the least hold is at most the wanted one');
  if (wallet.waiters.length === 0 && freeFor(wallet, request.model, nowMs) >= request.want) {
    const effects: WalletEffect[] = [{ kind: 'admitted', hold: take(wallet, request, request.want, nowMs) }];
    const ask = askAhead(wallet, request, askId, nowMs);
    if (ask) effects.push({ kind: 'ask', ask });
    return effects;
  }
  if (request.remainder && wallet.waiters.length === 0 && isExhausted(wallet, request.model, nowMs)) {
    return [{ kind: 'admitted', hold: takeRemainder(wallet, request, nowMs) }];
  }
  if (wallet.waiters.length >= wallet.limits.floorWaiters) return [{ kind: 'refused', id: request.id, reason: 'too_many_waiting' }];
  wallet.usedAtMs = nowMs;
  wallet.waiters.push({ ...request, deadlineMs: nowMs + wallet.limits.floorWaitMs });
  const ask = nextAsk(wallet, askId, nowMs);
  return ask ? [{ kind: 'ask', ask }] : [];
};

const isExhausted = ({ exhausted }: Wallet, model: string, nowMs: number): boolean => exhausted !== null && exhausted.model === model && nowMs < exhausted.untilMs;

const takeRemainder = (wallet: Wallet, request: HoldRequest, nowMs: number): Hold => {
  const free = freeFor(wallet, request.model, nowMs);
  return take(wallet, request, free < request.want ? free : request.want, nowMs);
};

/**
 * Gives waiters what there is, in their order. An ask for `answeredModel` has just said what else could come for it; of what
 * grants hold for other models it said nothing.
 */
const serve = (wallet: Wallet, answeredModel: string | null, nowMs: number): WalletEffect[] => {
  const effects: WalletEffect[] = [];
  for (let first = wallet.waiters[0]; first; first = wallet.waiters[0]) {
    const free = freeFor(wallet, first.model, nowMs);
    const answered = first.model === answeredModel;
    if (free >= first.want) {
      effects.push({ kind: 'admitted', hold: take(wallet, first, first.want, nowMs) });
    } else if (first.remainder && answered && wallet.available < first.want - free) {
      effects.push({ kind: 'admitted', hold: takeRemainder(wallet, first, nowMs) });
    } else if (answered && free >= first.least && free > 0n && wallet.available < first.want - free) {
      // Postgres has no more to give now: a request that may be shrunk runs with what is here.
      effects.push({ kind: 'admitted', hold: take(wallet, first, free, nowMs) });
    } else if (answered && recoverableFor(wallet, first.model, nowMs) < first.least) {
      effects.push({ kind: 'refused', id: first.id, reason: 'insufficient_quota' });
    } else {
      break;
    }
    wallet.waiters.shift();
  }
  return effects;
};

/** An ask was answered: adds its leases and serves who waits. */
export const receiveAnswer = (wallet: Wallet, answer: AskAnswer, nowMs: number): WalletEffect[] => {
  const { ask } = wallet;
  assert(ask !== null, 'an answer follows an ask');
  wallet.ask = null;
  for (const granted of answer.leases) {
    wallet.leases.push({
      id: granted.leaseId,
      grantId: granted.grantId,
      rank: granted.rank,
      models: granted.models && new Set(granted.models),
      slice: granted.slice,
      free: granted.slice,
      held: 0n,
      settled: 0n,
      usedAtMs: nowMs,
    });
  }
  wallet.leases.sort(compareRank);
  const mine = sumFor(wallet, ask.model, nowMs, (lease) => lease.slice);
  wallet.answered = { model: ask.model, askedAtMs: wallet.askedAtMs };
  wallet.available = answer.available;
  wallet.leasedElsewhere = answer.leased > mine ? answer.leased - mine : 0n;
  wallet.lastGranted = answer.leases.reduce((sum, lease) => sum + lease.slice, 0n);
  wallet.nearFloor = answer.available < ask.want * nearFloorHolds;
  wallet.exhausted = answer.available === 0n ? { model: ask.model, untilMs: nowMs + exhaustedMs } : null;
  return serve(wallet, ask.model, nowMs);
};

/**
 * Whether a request's least hold would be there if everything came back that is leased or held. Also true while that is not known:
 * the last answer is about another model, or about the grants as they were before the request came at `sinceMs`.
 */
export const couldCover = (wallet: Wallet, { model, least }: Pick<HoldRequest, 'model' | 'least'>, sinceMs: number, nowMs: number): boolean =>
  wallet.answered?.model !== model || wallet.answered.askedAtMs < sinceMs || recoverableFor(wallet, model, nowMs) >= least;

/** An ask failed for good (a refused statement, a dead session): those that wait are told by the caller. */
export const abandonAsk = (wallet: Wallet): string[] => {
  wallet.ask = null;
  return wallet.waiters.splice(0).map((waiter) => waiter.id);
};

/** A waiting client went away. */
export const cancelWait = (wallet: Wallet, id: string): void => {
  const index = wallet.waiters.findIndex((waiter) => waiter.id === id);
  if (index >= 0) wallet.waiters.splice(index, 1);
};

/** The charge is committed: what it took is settled, the rest of the hold is free again and serves who waits. */
export const releaseHold = (wallet: Wallet, hold: Hold, charge: Money, nowMs: number): WalletEffect[] => {
  let left = charge;
  for (const { lease, amount } of hold.parts) {
    const paid = amount < left ? amount : left;
    lease.held -= amount;
    lease.settled += paid;
    lease.free += amount - paid;
    lease.usedAtMs = nowMs;
    left -= paid;
    assert(lease.held >= 0n && lease.slice === lease.free + lease.held + lease.settled, 'a lease adds up');
  }
  assert(left === 0n, 'a charge is never above its hold');
  return wallet.waiters.length > 0 ? serve(wallet, null, nowMs) : [];
};

/** Refuses who has waited too long; serves and asks again where requests wait. Called every few tens of milliseconds. */
export const tickWallet = (wallet: Wallet, askId: string, nowMs: number): WalletEffect[] => {
  const effects: WalletEffect[] = [];
  for (let index = 0; index < wallet.waiters.length; ) {
    const waiter = wallet.waiters[index]!;
    if (nowMs < waiter.deadlineMs) index += 1;
    else {
      wallet.waiters.splice(index, 1);
      effects.push(waiter.remainder ? { kind: 'admitted', hold: takeRemainder(wallet, waiter, nowMs) } : { kind: 'refused', id: waiter.id, reason: 'balance_held' });
    }
  }
  // The request that left the queue may have stood before one that the leases here cover.
  effects.push(...serve(wallet, null, nowMs));
  if (wallet.waiters.length > 0 && nowMs - wallet.askedAtMs >= wallet.limits.askAgainMs) {
    const ask = nextAsk(wallet, askId, nowMs);
    if (ask) effects.push({ kind: 'ask', ask });
  }
  return effects;
};

/** Nothing leased, nobody waiting, no ask: the wallet can be forgotten. */
export const isIdle = (wallet: Wallet): boolean => wallet.leases.length === 0 && wallet.waiters.length === 0 && wallet.ask === null;
