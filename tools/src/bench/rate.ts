import { compileBook, createCounters, normalizeBook, oneUnit, priceBookFile, rateWithBook, type CompiledBook, type Counters, type RatableUsage, type RatedLine } from '@kilotoken/pricing';
import { Command } from 'commander';
import { z } from 'zod';
import { createFlatLoop, type FlatLoop } from './rate-flat.js';
import { median } from './report.js';
import { number, readOptions, runMeasurement } from './run.js';

/**
 * npm run bench:rate: how many events a second the rating engine rates, with a book of 2,000 models that has slabs, windows and a discount, against
 * a loop in the same language at flat prices. Both rate the same events in turn, in one process; no time makes it fail.
 */
const options = z.object({ models: z.number().int().min(1).max(100_000), events: z.number().int().min(1_000).max(5_000_000), rounds: z.number().int().min(1).max(1_000), json: z.boolean() });
const full = { models: 2_000, events: 100_000, rounds: 15 };
const quick = { models: 2_000, events: 50_000, rounds: 5 };

export const runBench = async (args: string[]): Promise<void> => {
  const command = new Command('npm run bench:rate --')
    .description('Compares the rating engine with a loop that looks the model up, multiplies, divides, rounds and builds the same lines at flat prices.')
    .option('--models <count>', `models in the book (${full.models})`, number)
    .option('--events <count>', `events a round (${full.events})`, number)
    .option('--rounds <count>', `rounds of each side (${full.rounds})`, number)
    .option('--quick', 'fewer and shorter rounds', false);
  const { models, events, rounds, json } = readOptions(command, args, options, { full, quick });
  await runMeasurement(json, async ({ say }) => {
    const compiled = compileBook(normalizeBook(priceBookFile.parse(bookOf(models))).book);
    const flat = createFlatLoop(Array.from({ length: models }, (_, index) => modelName(index)));
    const usages = usagesOf(models, events);
    const pairs = Array.from({ length: rounds + 1 }, () => ({ engine: timeEngine(compiled, usages), flat: timeFlat(flat, usages) })).slice(1);
    const ratios = pairs.map((pair) => pair.engine / pair.flat);
    const result = { models, events, ratio: median(ratios), ratios, engineEventsPerSecond: median(pairs.map(({ engine }) => engine)), flatEventsPerSecond: median(pairs.map((pair) => pair.flat)) };
    say(`engine ${result.engineEventsPerSecond.toFixed(0)} events/s, flat loop ${result.flatEventsPerSecond.toFixed(0)} events/s, ratio ${result.ratio.toFixed(3)} (median of ${ratios.map((ratio) => ratio.toFixed(2)).join(', ')})`);
    return result;
  });
};

const modelName = (index: number): string => `vendor/model-${index}`;

/** Each model has two bands, one price at night, and cached reads; batch calls have half the price. */
const bookOf = (models: number): object => ({
  book: 'bench',
  currency: 'USD',
  zone: 'Asia/Shanghai',
  windows: { night: { from: '22:00', to: '08:00' } },
  rates: Array.from({ length: models }, (_, index) => modelName(index)).flatMap((model) => [
    { models: [model], when: { context: { up_to: 32_000 } }, per: 1_000_000, prices: { input: '2.5', output: '10', cached_read: '0.5' } },
    { models: [model], when: { context: { over: 32_000 } }, per: 1_000_000, prices: { input: '4', output: '16', cached_read: '0.8' } },
    { models: [model], when: { context: { up_to: 32_000 }, windows: ['night'] }, per: 1_000_000, prices: { input: '1.25', output: '5' } },
  ]),
  discounts: [{ id: 'batch', when: { modes: ['batch'] }, percent: '50' }],
});

const beganAtMs = Date.parse('2026-03-10T00:00:00Z');

/** Over a month, in the order of time; every fourth is a batch call, every tenth a long prompt. */
const usagesOf = (models: number, events: number): RatableUsage[] =>
  Array.from({ length: events }, (_, index): RatableUsage => {
    const tokens = (count: number): bigint => BigInt(count) * oneUnit;
    const input = index % 10 === 0 ? 40_000 : 200 + ((index * 37) % 4_000);
    return {
      usageId: `u${index}`,
      model: modelName((index * 7_919) % models),
      quantities: { input: tokens(input), cached_read: tokens((index * 13) % 900), output: tokens(1 + ((index * 29) % 800)) },
      account: 'bench',
      atMs: beganAtMs + Math.floor((index * 2_592_000_000) / events),
      tier: 'default',
      mode: index % 4 === 0 ? 'batch' : 'realtime',
    };
  });

/** Events a second. Lines are kept as a caller would keep them, so that no side's work can be left out. */
const timeEngine = (compiled: CompiledBook, usages: readonly RatableUsage[]): number => {
  const counters: Counters = createCounters();
  const startedAt = performance.now();
  const rated = usages.map((usage) => rateWithBook(compiled, usage, counters));
  return checked(rated, usages, startedAt);
};

const timeFlat = (flat: FlatLoop, usages: readonly RatableUsage[]): number => {
  const startedAt = performance.now();
  const rated = usages.map((usage) => flat.rate(usage));
  return checked(rated, usages, startedAt);
};

const checked = (rated: readonly (RatedLine[] | { readonly refused: string })[], usages: readonly RatableUsage[], startedAt: number): number => {
  const seconds = (performance.now() - startedAt) / 1_000;
  if (rated.some((lines) => 'refused' in lines || lines.length < 2)) throw new Error('an event was not rated');
  return usages.length / seconds;
};
