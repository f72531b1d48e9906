import { describe, expect, it } from '@jest/globals';
import { whole, type Limit } from './limit.js';
import { createQuota, type CounterState, type Exchange, type Need, type Quota, type QuotaEffect, type Reservation } from './quota-state.js';
import { cancelRequest, endReservation, failExchange, hasFree, receiveStates, recallAll, recallCounter, requestReservation, tickQuota } from './quota.js';

const times = { waitMs: 600, answerMs: 1_500, waitersMax: 2, askAgainMs: 100, shortMs: 250, returnMs: 250, idleMs: 2_000, idleNearLimitMs: 250, forgetMs: 60_000, restMs: 10_000, rowsMax: 10, countersMax: 10 };
const limit: Limit = { id: 'l', subjectKind: 'organization', subjectId: 'o', measure: 'requests', unit: 'count', windowKind: 'day', windowMs: 0, amount: whole(100), mode: 'hard' };
const startMs = 1_000_000;

let minted = 0;
const mint = (): string => String((minted += 1)).padStart(8, '0');
const needs = (want = 1, more: Partial<Need> = {}): Need[] => [{ limit, subject: 'o', want: whole(want), least: whole(want), ...more }];
const ask = (quota: Quota, nowMs: number, of = needs()): QuotaEffect[] => requestReservation(quota, { id: mint(), needs: of }, mint(), nowMs);
const kinds = (effects: readonly QuotaEffect[]): string[] => effects.map(({ kind }) => kind);
const exchangeIn = (effects: readonly QuotaEffect[]): Exchange => effects.flatMap((effect) => (effect.kind === 'exchange' ? [effect.exchange] : []))[0]!;
const reservationIn = (effects: readonly QuotaEffect[]): Reservation => effects.flatMap((effect) => (effect.kind === 'reserved' ? [effect.reservation] : []))[0]!;
const state = (amount: number, more: Partial<CounterState> = {}): CounterState => ({
  remaining: whole(50), pending: false, rest: false, freeAtMs: startMs + 60_000, resetAtMs: startMs + 60_000, slices: [{ startMs, fromMs: startMs, untilMs: startMs + 86_400_000, amount: whole(amount) }], ...more,
});
const answer = (quota: Quota, nowMs: number, ...states: (CounterState | null)[]): QuotaEffect[] => receiveStates(quota, states, mint(), nowMs);

/** A quota that has a slice of so much, of which the first request reserved one. */
const withSlice = (amount: number, more: Partial<CounterState> = {}) => {
  const quota = createQuota(times);
  const exchange = exchangeIn(ask(quota, startMs));
  const first = reservationIn(answer(quota, startMs, state(amount, more)));
  return { quota, exchange, first };
};

describe('a request', () => {
  it('waits for the first exchange, which asks for its need and a spare part, and names the oldest request that may use it', () => {
    const { exchange, first } = withSlice(5);
    expect(exchange.rows).toMatchObject([{ need: whole(1), least: whole(1), spare: whole(4), keep: [] }]);
    expect(exchange.firstUsageId < exchange.id).toBe(true);
    expect(first).toMatchObject({ atMs: startMs, warnings: [], shrunk: [] });
  });

  it('does not wait where the slice covers it', () => {
    const { quota } = withSlice(5, { remaining: whole(0) });
    expect([ask(quota, startMs), ask(quota, startMs), ask(quota, startMs), ask(quota, startMs)].map(kinds)).toEqual([['reserved'], ['reserved'], ['reserved'], ['reserved']]);
    expect(kinds(ask(quota, startMs))).toEqual(['exchange']);
  });

  it('asks ahead when little is left, and nobody waits for that', () => {
    const { quota } = withSlice(4, { remaining: whole(90) });
    ask(quota, startMs + 100);
    const effects = ask(quota, startMs + 100);
    expect(kinds(effects)).toEqual(['reserved', 'exchange']);
    expect(exchangeIn(effects).rows[0]).toMatchObject({ need: 0n, least: 0n, keep: [{ keep: whole(4), close: false }] });
  });

  it('is refused at once when the database has no more and nobody holds any idle, with the moment at which there is more', () => {
    const quota = createQuota(times);
    ask(quota, startMs);
    const none = state(0, { remaining: 0n, slices: [] });
    const [effect] = answer(quota, startMs, none);
    expect(effect).toMatchObject({ kind: 'refused', refusal: { limit, retryAtMs: startMs + 60_000, tooLarge: false } });
    // The next one does not ask again so soon, a later one does.
    expect(kinds(ask(quota, startMs + 200))).toEqual(['refused']);
    expect(kinds(ask(quota, startMs + 300))).toEqual(['exchange']);
  });

  it('waits while others were asked for what they hold idle, and is refused when that takes too long', () => {
    const quota = createQuota(times);
    ask(quota, startMs);
    const pending = state(0, { remaining: 0n, pending: true, slices: [] });
    expect(answer(quota, startMs, pending)).toEqual([]);
    expect(tickQuota(quota, mint(), startMs + 50)).toEqual([]);
    expect(kinds(tickQuota(quota, mint(), startMs + 120))).toEqual(['exchange']);
    answer(quota, startMs + 130, pending);
    expect(kinds(tickQuota(quota, mint(), startMs + 600))).toEqual(['refused']);
  });

  describe('that the database says nothing about', () => {
    it('waits longer for a late answer, which serves it', () => {
      const quota = createQuota(times);
      ask(quota, startMs);
      expect(tickQuota(quota, mint(), startMs + 1_400)).toEqual([]);
      expect(kinds(answer(quota, startMs + 1_450, state(5)))).toEqual(['reserved']);
    });

    it('is not told of a limit when no answer comes', () => {
      const quota = createQuota(times);
      ask(quota, startMs);
      expect(kinds(tickQuota(quota, mint(), startMs + 1_500))).toEqual(['unanswered']);
    });

    it('is told so as soon as it has waited, where the exchange is known to have failed', () => {
      const quota = createQuota(times);
      ask(quota, startMs);
      failExchange(quota);
      expect(tickQuota(quota, mint(), startMs + 599)).toEqual([]);
      expect(kinds(tickQuota(quota, mint(), startMs + 600))).toEqual(['unanswered']);
    });

    it('is told of its limit again after an answer', () => {
      const quota = createQuota(times);
      ask(quota, startMs);
      failExchange(quota);
      answer(quota, startMs + 400, state(0, { remaining: 0n, pending: true, slices: [] }));
      expect(kinds(tickQuota(quota, mint(), startMs + 600))).toEqual(['refused']);
    });

    it('is not told that too many wait, where they wait for the database', () => {
      const quota = createQuota(times);
      for (let waiting = 0; waiting < times.waitersMax; waiting += 1) ask(quota, startMs);
      expect(kinds(ask(quota, startMs + 599))).toEqual(['refused']);
      expect(kinds(ask(quota, startMs + 600))).toEqual(['unanswered']);
      failExchange(quota);
      expect(kinds(ask(quota, startMs + 10))).toEqual(['unanswered']);
    });
  });

  it('that needs more than the limit allows at all is refused without asking', () => {
    const quota = createQuota(times);
    expect(ask(quota, startMs, needs(101))).toMatchObject([{ kind: 'refused', refusal: { tooLarge: true } }]);
  });

  it('that may be shortened gets what is left', () => {
    const quota = createQuota(times);
    ask(quota, startMs, needs(80, { least: whole(5) }));
    const { parts, shrunk } = reservationIn(answer(quota, startMs, state(30, { remaining: 0n })));
    expect(parts.map(({ amount }) => amount)).toEqual([whole(30)]);
    expect(shrunk).toEqual([{ limit, amount: whole(30) }]);
  });

  it('beyond a soft limit is let pass with a warning and reserves nothing of it', () => {
    const quota = createQuota(times);
    const soft = { ...limit, mode: 'soft' as const };
    ask(quota, startMs, needs(1, { limit: soft }));
    expect(reservationIn(answer(quota, startMs, state(0, { remaining: 0n, slices: [] })))).toMatchObject({ parts: [], warnings: [soft] });
  });

  it('reserves in all limits or in none', () => {
    const quota = createQuota(times);
    const other = { ...limit, id: 'm' };
    const both = (): Need[] => [...needs(), { limit: other, subject: 'o', want: whole(1), least: whole(1) }];
    ask(quota, startMs, both());
    expect(kinds(answer(quota, startMs, state(5), state(0, { remaining: 0n, slices: [] })))).toEqual(['refused']);
    for (const { slices } of quota.counters.get('l')!.values()) expect(slices).toMatchObject([{ free: whole(5), held: 0n }]);
  });

  it('waits for its turn and leaves the queue when its client does; the queue is bounded', () => {
    const quota = createQuota(times);
    const first = requestReservation(quota, { id: 'first', needs: needs() }, mint(), startMs);
    requestReservation(quota, { id: 'second', needs: needs() }, mint(), startMs);
    expect(kinds(ask(quota, startMs))).toEqual(['refused']);
    cancelRequest(quota, 'first');
    const served = answer(quota, startMs, ...exchangeIn(first).rows.map(() => state(1)));
    expect(reservationIn(served).id).toBe('second');
  });

  it('is let pass by a limit that was deleted meanwhile', () => {
    const quota = createQuota(times);
    ask(quota, startMs);
    expect(reservationIn(answer(quota, startMs, null)).parts).toEqual([]);
  });
});

describe('a budget', () => {
  const budget = { ...limit, measure: 'money' as const, unit: 'USD' };

  it.each([['that stops a request', budget], ['that warns of one', { ...budget, mode: 'soft' as const }]])('%s is told with the next exchange, and not again so soon', (_name, of) => {
    const quota = createQuota(times);
    const request = (): Need[] => [{ limit: of, subject: 'o', want: whole(1), least: whole(1) }];
    ask(quota, startMs, request());
    answer(quota, startMs, state(0, { remaining: 0n, slices: [] }));
    const told = exchangeIn(tickQuota(quota, mint(), startMs + 300));
    expect(told.rows).toMatchObject([{ stopped: true, need: 0n }]);
    answer(quota, startMs + 300, state(0, { remaining: 0n, slices: [] }));
    const next = exchangeIn(ask(quota, startMs + 600, request()));
    expect(next.rows).toMatchObject([{ stopped: false, need: whole(1) }]);
  });
});

describe('a slice', () => {
  const slicesOf = (quota: Quota) => [...quota.counters.get('l')!.values()][0]!.slices;

  it('counts what a request used and has the rest free again', () => {
    const quota = createQuota(times);
    ask(quota, startMs, needs(10, { limit: { ...limit, measure: 'tokens' } }));
    const reservation = reservationIn(answer(quota, startMs, state(12)));
    endReservation(quota, reservation, () => whole(3), startMs);
    expect(slicesOf(quota)).toMatchObject([{ free: whole(9), held: 0n, used: whole(3) }]);
  });

  it('is not used beyond its window, and what it has left goes back', () => {
    const { quota, first } = withSlice(5);
    endReservation(quota, first, () => whole(1), startMs);
    const tomorrow = startMs + 86_400_000;
    const effects = ask(quota, tomorrow);
    expect(kinds(effects)).toEqual(['exchange']);
    expect(exchangeIn(effects).rows[0]!.keep).toEqual([{ startMs, keep: whole(1), open: false, close: true }]);
  });

  it('ends when the database says: a changed time zone moves the end of its window', () => {
    const { quota } = withSlice(5);
    recallAll(quota);
    const recalled = exchangeIn(tickQuota(quota, mint(), startMs + 300));
    const untilMs = startMs + 60_000;
    answer(quota, startMs + 300, ...recalled.rows.map(() => state(5, { slices: [{ startMs, fromMs: startMs, untilMs, amount: whole(5) }] })));
    expect(kinds(ask(quota, untilMs - 1))).toEqual(['reserved']);
    expect(kinds(ask(quota, untilMs))).toEqual(['exchange']);
  });

  it('goes back when it is idle, when another gateway needs it and when limits change', () => {
    const keepAfter = (act: (quota: Quota) => void, nowMs: number) => {
      const { quota, first } = withSlice(5);
      endReservation(quota, first, () => whole(1), startMs);
      act(quota);
      const effects = tickQuota(quota, mint(), nowMs);
      return effects.length === 0 ? null : exchangeIn(effects).rows[0]!.keep[0]!.keep;
    };
    expect(keepAfter(() => undefined, startMs + 300)).toBe(null);
    expect(keepAfter(() => undefined, startMs + 2_300)).toBe(whole(1));
    expect(keepAfter((quota) => recallCounter(quota, 'l', 'o'), startMs + 300)).toBe(whole(1));
    expect(keepAfter(recallAll, startMs + 300)).toBe(whole(1));
  });

  it('is never given back while somebody waits for it', () => {
    const { quota } = withSlice(1, { remaining: 0n });
    const pending = ask(quota, startMs + 1);
    recallAll(quota);
    expect(exchangeIn(pending).rows[0]!.keep[0]!.keep).toBe(whole(1));
  });

  it('that nobody used for long is closed, and its counter forgotten', () => {
    const { quota, first } = withSlice(1);
    endReservation(quota, first, () => whole(1), startMs);
    const late = exchangeIn(tickQuota(quota, mint(), startMs + 61_000));
    expect(late.rows[0]!.keep).toMatchObject([{ keep: whole(1), close: true }]);
    answer(quota, startMs + 61_000, state(0, { slices: [] }));
    tickQuota(quota, mint(), startMs + 62_000);
    expect([quota.size, hasFree(quota)]).toEqual([0, false]);
  });
});
