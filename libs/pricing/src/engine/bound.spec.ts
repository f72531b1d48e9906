import { describe, expect, it } from '@jest/globals';
import { parentClass, type TokenClass } from '@kilotoken/contracts';
import { formatMoney, parseMoney, type Money } from '@kilotoken/money';
import type { Meter } from '../book/book-values.js';
import { boundOf, type Bound, type BoundFacts } from './bound.js';
import { compileBook, type CompiledBook } from './compile.js';
import { createCounters, type Counters } from './counters.js';
import { one, type Quantities } from './quantity.js';
import { drawFrom, randomBook, sides, type Draw } from './random-book.js';
import { rateUsage } from './rate.js';
import type { RatableUsage } from './rated-usage.js';
import { bookOf, usageOf } from './worked-example.js';

/** A million requests take minutes: KILOTOKEN_DRAWS=1000000 npm test -- libs/pricing/src/engine/bound */
const draws = Number(process.env['KILOTOKEN_DRAWS'] ?? 2_000);
const requestsPerBook = 20;
/** An end to a long run, by its number of requests. */
const msMax = 180_000 + draws * 20;
const tightBooks = Math.min(2_000, Math.ceil(draws / 40));

const edgesOfNight = ['2026-03-10T21:59:59.999Z', '2026-03-10T22:00:00Z', '2026-03-11T07:59:59.999Z', '2026-03-11T08:00:00Z'].map((text) => Date.parse(text));

const shown = (amount: unknown): string => (typeof amount === 'bigint' ? formatMoney(amount) : JSON.stringify(amount));

/** Splits a number of tokens at random; one class takes all of them as often as not. */
const split = (draw: Draw, names: readonly Meter[], total: number): Quantities => {
  const counts: Partial<Record<Meter, bigint>> = {};
  let left = total;
  while (left > 0) {
    const part = draw.chance(50) ? left : 1 + draw.below(left);
    const name = draw.of(names);
    counts[name] = (counts[name] ?? 0n) + BigInt(part) * one;
    left -= part;
  }
  return counts;
};

const drawFacts = (draw: Draw, book: object): BoundFacts => {
  const { rates } = book as { rates: { classes: string[] }[] };
  const classes = [...new Set(rates.flatMap((rate) => rate.classes))].filter((name): name is TokenClass => name in parentClass && (name === 'input' || name === 'output' || draw.chance(80)));
  const toolCalls = draw.below(3);
  const hasTools = rates.some((rate) => rate.classes.includes('tool_call'));
  return {
    model: 'm',
    atMs: draw.of(edgesOfNight),
    classes,
    tiers: draw.of([['default'], ['priority', 'default'], ['priority']]),
    modes: draw.of([['realtime'], ['batch']]),
    account: 'acme',
    ...(hasTools ? { quantities: { tool_call: BigInt(toolCalls) * one } } : {}),
  };
};

const drawUsage = (draw: Draw, facts: BoundFacts, promptMax: number, outputMax: number): RatableUsage => {
  const of = (side: readonly string[]): TokenClass[] => [...new Set<TokenClass>([side[0] as TokenClass, ...facts.classes.filter((name) => side.includes(name))])];
  const near = (most: number): number => (draw.chance(50) ? most : draw.below(most + 1));
  const tools = facts.quantities?.tool_call;
  return {
    ...usageOf({}, { model: facts.model, atMs: facts.atMs, tier: draw.of(facts.tiers), mode: draw.of(facts.modes) }),
    quantities: { ...split(draw, of(sides.prompt), near(promptMax)), ...split(draw, of(sides.answer), near(outputMax)), ...(tools ? { tool_call: tools } : {}) },
  };
};

const rated = (compiled: CompiledBook, usage: RatableUsage, counters: Counters): Money | null => {
  const lines = rateUsage(compiled, usage, counters);
  return 'refused' in lines ? null : lines.reduce((sum, { amount }) => sum + amount, 0n);
};

/** Requests that were rated above their hold, of so many. `mutate` changes the facts that the bound is given. */
const findBreaches = (requests: number, firstSeed: number, mutate: (facts: BoundFacts) => BoundFacts = (facts) => facts, breachesMax = 10): string[] => {
  const breaches: string[] = [];
  for (let seed = firstSeed; seed < firstSeed + Math.ceil(requests / requestsPerBook) && breaches.length < breachesMax; seed += 1) {
    const draw = drawFrom(seed);
    const file = randomBook(draw, { most: 12, counters: draw.chance(60), coarse: true });
    const compiled = compileBook(bookOf(file));
    const counters = createCounters();
    for (let index = 0; index < requestsPerBook; index += 1) {
      const facts = drawFacts(draw, file);
      const [promptMax, outputMax] = [draw.below(16), draw.below(16)];
      const hold = boundOf(compiled, mutate(facts), counters).hold(BigInt(promptMax), BigInt(outputMax));
      // Others take the counters further between admission and rating.
      if (draw.chance(40)) rated(compiled, drawUsage(draw, facts, 12, 12), counters);
      const usage = drawUsage(draw, facts, promptMax, outputMax);
      const amount = rated(compiled, usage, counters);
      if (typeof hold === 'bigint' && amount !== null && amount > hold) breaches.push(`seed ${seed}, request ${index}: ${formatMoney(amount)} above ${formatMoney(hold)}`);
    }
  }
  return breaches;
};

/** All ways to spread up to so many tokens over classes. */
const spreads = (names: readonly Meter[], most: number): Quantities[] => {
  const [first, ...others] = names;
  if (first === undefined) return [{}];
  return Array.from({ length: most + 1 }, (_, count) => count).flatMap((count) => spreads(others, most - count).map((rest) => ({ [first]: BigInt(count) * one, ...rest })));
};

const dearestOf = (compiled: CompiledBook, facts: BoundFacts, promptMax: number, outputMax: number): Money => {
  const of = (side: readonly string[]): TokenClass[] => [...new Set<TokenClass>([side[0] as TokenClass, ...facts.classes.filter((name) => side.includes(name))])];
  const tools = facts.quantities?.tool_call;
  let dearest = 0n;
  for (const prompt of spreads(of(sides.prompt), promptMax)) {
    for (const answer of spreads(of(sides.answer), outputMax)) {
      for (const tier of facts.tiers) {
        const usage = { ...usageOf({}, { atMs: facts.atMs, tier, mode: facts.modes[0]! }), quantities: { ...prompt, ...answer, ...(tools ? { tool_call: tools } : {}) } };
        const amount = rated(compiled, usage, createCounters()) ?? 0n;
        if (amount > dearest) dearest = amount;
      }
    }
  }
  return dearest;
};

describe('the bound', () => {
  const qwen = {
    rates: [
      { models: ['m'], when: { context: { up_to: 32_000 } }, per: 1_000_000, prices: { input: '2.5', output: '10', cached_read: '0.5' } },
      { models: ['m'], when: { context: { over: 32_000, up_to: 128_000 } }, per: 1_000_000, prices: { input: '4', output: '16' } },
      { models: ['m'], when: { tiers: ['priority'], context: { up_to: 32_000 } }, per: 1_000_000, prices: { output: '40' } },
    ],
  };
  const facts: BoundFacts = { model: 'm', atMs: Date.parse('2026-03-10T12:00:00Z'), classes: ['cached_read'], tiers: ['default'], modes: ['realtime'], account: 'acme' };
  const bound = (file: object, more: Partial<BoundFacts> = {}, counters = createCounters()): Bound => boundOf(compileBook(bookOf(file)), { ...facts, ...more }, counters);

  it('is the dearest band that a prompt may fall in', () => {
    expect(shown(bound(qwen).hold(100_000n, 2_000n))).toBe('0.432');
    expect(shown(bound(qwen).hold(32_000n, 2_000n))).toBe('0.1');
    expect(shown(bound(qwen).hold(32_001n, 2_000n))).toBe('0.160004');
  });

  it('takes the dearest tier that may serve', () => {
    expect(shown(bound(qwen, { tiers: ['priority', 'default'] }).hold(100n, 1_000n))).toBe('0.04025');
  });

  it('refuses a prompt that may reach a band without a price', () => {
    expect(bound(qwen).hold(128_001n, 1n)).toEqual({ refused: 'no_price', class: 'input' });
    expect(bound(qwen).affordableOutput(128_001n, parseMoney('1000'))).toBe(0n);
  });

  it('has the cost of all that is not counted in tokens', () => {
    const book = { rates: [{ models: ['m'], per: 1, prices: { input: '1', output: '1', request: '0.5', tool_call: '2' } }] };
    expect(shown(bound(book, { quantities: { tool_call: 3n * one } }).hold(1n, 1n))).toBe('8.5');
  });

  it('takes the dearest step from where a counter stands on, and one of a new period where that may begin', () => {
    const book = { accumulators: { month: { counts: 'tokens', period: 'month' } }, rates: [{ models: ['m'], classes: ['input', 'output'], per: 1, price: { tiers: 'graduated', over: 'month', steps: [{ up_to: '100', amount: '9' }, { amount: '2' }] } }] };
    const counters = createCounters();
    rateUsage(compileBook(bookOf(book)), usageOf({ input: '100' }), counters);
    expect(shown(bound(book, {}, counters).hold(10n, 0n))).toBe('20.000000000002');
    expect(shown(bound(book, { settlesByMs: Date.parse('2026-04-01T00:00:00Z') }, counters).hold(10n, 0n))).toBe('90.000000000002');
  });

  it('answers the most output that a budget covers', () => {
    for (let seed = 1; seed <= 100; seed += 1) {
      const draw = drawFrom(seed);
      const file = randomBook(draw, { most: 12, counters: draw.chance(50), coarse: true });
      const each = boundOf(compileBook(bookOf(file)), drawFacts(draw, file), createCounters());
      const prompt = BigInt(draw.below(16));
      const budget = BigInt(draw.below(1_000_000)) * 10n ** BigInt(draw.below(9));
      const output = each.affordableOutput(prompt, budget);
      const fits = (tokens: bigint): boolean => (each.hold(prompt, tokens) as Money) <= budget;
      if (output > 0n) expect([seed, fits(output)]).toEqual([seed, true]);
      if (output < BigInt(Number.MAX_SAFE_INTEGER) && fits(0n)) expect([seed, fits(output + 1n)]).toEqual([seed, false]);
    }
  });
});

describe('over random books and requests', () => {
  it(`none of ${draws} requests is rated above its hold`, () => {
    expect(findBreaches(draws, 1)).toEqual([]);
  }, msMax);

  it.each(['cached_read', 'cache_write_5m', 'reasoning'] as const)('a bound that leaves out %s is found out', (left) => {
    expect(findBreaches(2_000, 1, (facts) => ({ ...facts, classes: facts.classes.filter((name) => name !== left) }), 1).length).toBeGreaterThan(0);
  });

  it('a bound that leaves out a tier, or other meters, is found out', () => {
    expect(findBreaches(4_000, 1, (facts) => ({ ...facts, tiers: facts.tiers.slice(-1) }), 1).length).toBeGreaterThan(0);
    expect(findBreaches(4_000, 1, (facts) => ({ ...facts, quantities: {} }), 1).length).toBeGreaterThan(0);
  });

  it('the dearest request is rated at most one step of rounding a line below its hold', () => {
    for (let seed = 1; seed <= tightBooks; seed += 1) {
      const draw = drawFrom(seed);
      const file = randomBook(draw, { most: 4, counters: false, coarse: false });
      const compiled = compileBook(bookOf(file));
      const facts = drawFacts(draw, file);
      const [promptMax, outputMax] = [draw.below(5), draw.below(4)];
      const hold = boundOf(compiled, facts, createCounters()).hold(BigInt(promptMax), BigInt(outputMax));
      if (typeof hold !== 'bigint') continue;
      const dearest = dearestOf(compiled, facts, promptMax, outputMax);
      const lines = facts.classes.length + 2 + 2;
      expect([seed, dearest <= hold && hold - dearest <= BigInt(lines)]).toEqual([seed, true]);
    }
  }, msMax);

  it('the dearest place on a counter is at most one step of rounding a line below the hold', () => {
    for (let seed = 1; seed <= tightBooks; seed += 1) {
      const draw = drawFrom(seed);
      const ends = [...new Set([1 + draw.below(8), 1 + draw.below(8)])].sort((a, b) => a - b);
      const steps = [...ends.map((end) => ({ up_to: `${end}` })), {}].map((step) => ({ ...step, amount: `${draw.below(9)}`, flat: draw.chance(40) ? `${draw.below(20)}` : '0' }));
      const price = { tiers: draw.of(['graduated', 'volume']), over: 'month', steps };
      const file = { accumulators: { month: { counts: 'tokens', period: 'month' } }, rates: [{ models: ['m'], per: draw.of([1, 3, 7]), prices: { input: price, output: '0' } }] };
      const compiled = compileBook(bookOf(file));
      const at = (level: number, by: 'input' | 'output'): Counters => {
        const counters = createCounters();
        if (level > 0) rated(compiled, usageOf({ [by]: `${level}` }), counters);
        return counters;
      };
      const [level, promptMax] = [draw.below(12), 1 + draw.below(6)];
      const facts: BoundFacts = { model: 'm', atMs: usageOf({}).atMs, classes: [], tiers: ['default'], modes: ['realtime'], account: 'acme' };
      const hold = boundOf(compiled, facts, at(level, 'output')).hold(BigInt(promptMax), 0n) as Money;
      const places = Array.from({ length: 14 }, (_, more) => level + more).flatMap((place) =>
        Array.from({ length: promptMax }, (_, prompt) => (['input', 'output'] as const).map((by) => rated(compiled, usageOf({ input: `${prompt + 1}` }), at(place, by))!)).flat(),
      );
      const dearest = places.reduce((most, amount) => (amount > most ? amount : most));
      expect([seed, dearest <= hold && hold - dearest <= 2n]).toEqual([seed, true]);
    }
  });
});
