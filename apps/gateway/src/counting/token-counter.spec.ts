import { beforeAll, describe, expect, it } from '@jest/globals';
import { createInlineOffload, OffloadError, type Offload } from '@kilotoken/platform/offload';
import { pino } from 'pino';
import * as jobs from './counting.jobs.js';
import { lengthOf } from './sample.js';
import { countText, createTextCounter } from './text-counter.js';
import { inlineLengthMax, inlineLengthPerTurnMax, jobLengthMax, TokenCounter } from './token-counter.service.js';

const logger = pino({ level: 'silent' });
let vocabulary: SharedArrayBuffer;
beforeAll(() => {
  vocabulary = jobs.loadVocabulary('o200k_base');
});

const exact = (text: string): number => countText(createTextCounter(jobs.openEncoding('o200k_base', vocabulary)), text).tokens;

interface Seen {
  readonly length: number;
  readonly tenant: string;
}

/** Threads whose jobs are written down; `fault` answers what goes wrong, if anything. */
const openCounter = async (fault: (job: number) => Error | null = () => null) => {
  const seen: Seen[] = [];
  const inline = createInlineOffload(async () => ({ loadVocabulary: () => vocabulary, countTexts: jobs.countTexts, countPrompt: jobs.countPrompt }));
  const offload: Offload<jobs.CountingJobs> = {
    ...inline,
    run: async (name, input, tenant) => {
      if (name !== 'countTexts') return inline.run(name, input, tenant);
      const error = fault(seen.length);
      seen.push({ length: lengthOf((input as jobs.CountInput).texts), tenant });
      if (error) throw error;
      return inline.run(name, input, tenant);
    },
  };
  let sampled = 0;
  const counter = new TokenCounter(offload, logger, () => (sampled += 1), () => 0.5);
  await counter.load(['o200k_base']);
  return { counter, seen, sampled: () => sampled };
};

const english = (length: number): string => 'The quick brown fox jumps over the lazy dog. '.repeat(Math.ceil(length / 45)).slice(0, length);
const han = (length: number): string => Array.from({ length }, (_, index) => String.fromCharCode(0x4e00 + ((index * 7_919) % 20_000))).join('');

describe('the counter of tokens', () => {
  it('counts a small text at once', async () => {
    const { counter, seen } = await openCounter();
    const text = han(inlineLengthMax);
    expect(counter.count('o200k_base', [text], Infinity, 'a')).toBe(exact(text));
    expect(seen).toEqual([]);
  });

  it('counts no more on the event loop in one turn than its bound, however many texts are small', async () => {
    const { counter, seen } = await openCounter();
    const text = english(inlineLengthMax);
    const results = Array.from({ length: 50 }, () => counter.count('o200k_base', [text], Infinity, 'a'));
    expect(results.filter((result) => typeof result === 'number').length * inlineLengthMax).toBe(inlineLengthPerTurnMax);
    expect(seen).toHaveLength(50 - inlineLengthPerTurnMax / inlineLengthMax);
    for (const result of results) expect(await result).toBe(exact(text));
    await new Promise((resolve) => setImmediate(resolve));
    expect(typeof counter.count('o200k_base', [text], Infinity, 'a')).toBe('number');
  });

  it('leaves a long text to threads, in jobs of bounded length, so that others have their turn between them', async () => {
    const { counter, seen } = await openCounter();
    const text = english(5 * jobLengthMax);
    expect(await counter.count('o200k_base', [text], Infinity, 'a')).toBe(exact(text));
    expect(seen.length).toBeGreaterThanOrEqual(5);
    for (const { length, tenant } of seen) {
      expect(length).toBeLessThanOrEqual(jobLengthMax);
      expect(tenant).toBe('a');
    }
  });

  it('counts many small parts together as the sum of each', async () => {
    const { counter, seen } = await openCounter();
    const parts = Array.from({ length: 3_000 }, (_, index) => english(20 + (index % 50)));
    expect(await counter.count('o200k_base', parts, Infinity, 'a')).toBe(parts.reduce((sum, part) => sum + exact(part), 0));
    expect(seen.length).toBeLessThan(5);
  });

  it('ends where the most that can be charged is reached', async () => {
    const { counter, seen } = await openCounter();
    expect(await counter.count('o200k_base', [han(500_000)], 1_000, 'a')).toBe(1_000);
    expect(seen).toHaveLength(1);
  });

  it.each([
    ['equal throughout', (length: number) => english(length)],
    ['dear in the middle', (length: number) => english(length * 0.45) + han(length * 0.1) + english(length * 0.45)],
    ['dear at its end', (length: number) => english(length * 0.9) + han(length * 0.1)],
  ])('a text beyond the bound of work is sampled within two percent: %s', async (_name, make) => {
    const { counter, seen } = await openCounter();
    const text = make(1_200_000);
    const counted = await counter.count('o200k_base', [text], Infinity, 'a');
    expect(Math.abs(counted / exact(text) - 1)).toBeLessThan(0.02);
    expect(seen.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(1_300_000);
  });

  it.each(['full', 'late', 'stopped'] as const)('where the threads are %s a small sample is counted here, at most the bound', async (fault) => {
    const { counter, sampled } = await openCounter(() => new OffloadError(fault));
    for (const text of [english(100_000), han(100_000)]) {
      const counted = await counter.count('o200k_base', [text], Infinity, 'a');
      expect(counted / exact(text)).toBeGreaterThan(0.9);
      expect(counted / exact(text)).toBeLessThan(1.2);
      expect(await counter.count('o200k_base', [text], 1_000, 'a')).toBe(1_000);
    }
    expect(sampled()).toBe(4);
  });

  it('a thread that fails in the middle of a text does not end its count', async () => {
    const { counter } = await openCounter((job) => (job === 1 ? new Error('the thread broke') : null));
    const text = english(4 * jobLengthMax);
    expect((await counter.count('o200k_base', [text], Infinity, 'a')) / exact(text)).toBeCloseTo(1, 0);
  });

  it('loads an encoding once, however many ask for it at once', async () => {
    let loads = 0;
    const offload = createInlineOffload(async () => ({ countTexts: jobs.countTexts, countPrompt: jobs.countPrompt, loadVocabulary: () => ((loads += 1), vocabulary) }));
    const counter = new TokenCounter(offload, logger, () => undefined);
    await Promise.all([counter.load([]), counter.load(['o200k_base', 'nobody_knows']), counter.load([])]);
    await counter.load(['o200k_base']);
    expect(loads).toBe(1);
  });

  it('counts for an unknown tokenizer with the default one', async () => {
    const { counter } = await openCounter();
    expect(counter.count('nobody_knows', ['hello world'], Infinity, 'a')).toBe(2);
  });
});
