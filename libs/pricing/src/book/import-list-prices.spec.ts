import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { formatMoney, parseMoney } from '@kilotoken/money';
import { fixturesFolder, itNeeds } from '../../../../test/support/requirements.js';
import { compileBook } from '../engine/compile.js';
import { createCounters } from '../engine/counters.js';
import { parseQuantity } from '../engine/quantity.js';
import { rateUsage } from '../engine/rate.js';
import { readStructuredText } from './book-file.js';
import type { Meter } from './book-values.js';
import { plainDecimal } from './exact-decimal.js';
import { importListPrices, type ImportedBook } from './import-list-prices.js';
import { checkPriceBook } from './read-book.js';

const readList = (bytes: Uint8Array): unknown => {
  const reading = readStructuredText(bytes);
  if (!reading.ok) throw new Error(reading.mistakes[0]!.message);
  return reading.result.value;
};
const importText = (text: string, markupPercent: string | null = null) => importListPrices(readList(new TextEncoder().encode(text)), { markupPercent });

const sonnet = `[{"id": "v", "models": [{"id": "Sonnet", "match": {"or": [{"starts_with": "sonnet-4"}, {"regex": "^s-\\\\d{2}$"}]}, "prices": [
  {"prices": {"input_mtok": {"base": 3, "tiers": [{"start": 200000, "price": 6}]}, "output_mtok": 15.5, "cache_write_mtok": 3.75}},
  {"constraint": {"start_date": "2026-03-13"}, "prices": {"input_mtok": 2.5e-1, "requests_kcount": 12}}]}]}]`;

describe('list prices', () => {
  test('become rates by band and date, with the markup beside the cost', () => {
    const imported = importText(sonnet, '20');
    if (!imported.ok) throw new Error(JSON.stringify(imported.mistakes));
    const [{ cost, sale }] = imported.books as [ImportedBook];
    expect(cost.rates).toEqual([
      { models: ['Sonnet'], when: { context: { up_to: '200000' }, until: '2026-03-13' }, per: '1000000', prices: { input: '3', output: '15.5', cache_write_5m: '3.75', cache_write_1h: '3.75' } },
      { models: ['Sonnet'], when: { context: { over: '200000' }, until: '2026-03-13' }, per: '1000000', prices: { input: '6', output: '15.5', cache_write_5m: '3.75', cache_write_1h: '3.75' } },
      { models: ['Sonnet'], when: { from: '2026-03-13' }, per: '1000000', prices: { input: '0.25', output: null } },
      { models: ['Sonnet'], when: { from: '2026-03-13' }, per: '1000', prices: { request: '12' } },
    ]);
    expect(cost.aliases).toEqual([{ model: 'Sonnet', match: ['sonnet-4*', 's-##'] }]);
    expect(sale?.rates[0]?.prices).toEqual({ input: '3.6', output: '18.6', cache_write_5m: '4.5', cache_write_1h: '4.5' });
    expect(checkPriceBook(cost).mistakes).toEqual([]);
  });

  test('without any price are free, and are named', () => {
    const imported = importText('[{"id": "v", "models": [{"id": "m:free", "match": {"equals": "m:free"}, "prices": {}}]}]', '20');
    expect(imported).toMatchObject({ ok: true, books: [{ free: ['m:free'], sale: { rates: [{ prices: { input: '0', output: '0' } }] } }] });
  });

  test('with more decimals than a price book has are kept exactly, for more tokens', () => {
    const imported = importText('[{"id": "v", "models": [{"id": "m", "match": {"equals": "m"}, "prices": {"input_mtok": 0.08333333333333334}}]}]');
    expect(imported).toMatchObject({ ok: true, books: [{ cost: { rates: [{ per: '1000000', prices: { output: null } }, { per: '1000000000000', prices: { input: '83333.33333333334' } }] } }] });
  });

  test.each([
    ['a kind of price that no class stands for', '{"seconds": 1}', 'seconds'],
    ['a negative price', '{"input_mtok": -1}', 'must be a decimal of 0 or more'],
    ['two prices without a constraint', '[{"prices": {}}, {"prices": {}}]', 'mixes dates'],
  ])('are refused as a whole for %s', (_, prices, message) => {
    const imported = importText(`[{"id": "v", "models": [{"id": "m", "match": {"equals": "m"}, "prices": ${prices}}]}]`);
    expect(imported.ok).toBe(false);
    expect(JSON.stringify(imported)).toContain(message);
  });
});

type Counts = Partial<Record<string, number>>;
/** Counts there include each other; ours are disjoint. */
const quantitiesOf = (counts: Counts): Partial<Record<Meter, bigint>> => {
  const count = (key: string): number => counts[key] ?? 0;
  const cachedAudio = count('cache_audio_read_tokens');
  const cached = count('cache_read_tokens') - cachedAudio;
  const longWrites = count('cache_write_1h_tokens');
  const writes = count('cache_write_tokens') - longWrites;
  const audio = count('input_audio_tokens') - cachedAudio;
  const parts: [Meter, number][] = [
    ['input', count('input_tokens') - cached - cachedAudio - writes - longWrites - audio],
    ['cached_read', cached],
    ['cached_audio_read', cachedAudio],
    ['cache_write_5m', writes],
    ['cache_write_1h', longWrites],
    ['audio_in', audio],
    ['output', count('output_tokens') - count('output_reasoning_tokens') - count('output_audio_tokens')],
    ['reasoning', count('output_reasoning_tokens')],
    ['audio_out', count('output_audio_tokens')],
  ];
  return Object.fromEntries(parts.filter(([, tokens]) => tokens !== 0).map(([meter, tokens]) => [meter, parseQuantity(String(tokens))]));
};

/** Azure's own reader of this format does not know writes to the cache, and its published price has them as input. */
const readBy = (vendor: string, { format, counts }: RecordedBody): Counts => (vendor === 'azure' && format === 'responses' ? { ...counts, cache_write_tokens: 0 } : counts);

interface RecordedBody {
  readonly format: string;
  readonly model: string;
  readonly counts: Counts;
  readonly prices: Readonly<Record<string, { readonly input: string; readonly output: string }>>;
}
const published = (text: string): bigint => parseMoney(plainDecimal(text)!);
const outputMeters: readonly (Meter | null)[] = ['output', 'reasoning', 'audio_out', 'image_out'];

describe('the vendors’ published list prices', () => {
  itNeeds('fixtures')('import whole, and rate every recorded body at its published price', () => {
    const imported = importListPrices(readList(readFileSync(join(fixturesFolder(), 'model-prices.json'))));
    if (!imported.ok) throw new Error(JSON.stringify(imported.mistakes.slice(0, 20)));
    expect(imported.books.length).toBe(34);
    expect(imported.books.reduce((sum, { models }) => sum + models, 0)).toBe(1442);
    const compiled = new Map(
      imported.books.map(({ vendor, cost }) => {
        const { book, mistakes } = checkPriceBook(cost);
        expect([vendor, mistakes]).toEqual([vendor, []]);
        return [vendor, compileBook(book!)];
      }),
    );
    const bodies = JSON.parse(readFileSync(join(fixturesFolder(), 'usage-bodies.json'), 'utf8')) as RecordedBody[];
    expect(bodies.length).toBe(799);
    let priced = 0;
    const differing = bodies.flatMap((body, index) =>
      Object.entries(body.prices).flatMap(([vendor, { input, output }]): unknown[] => {
        const { model } = body;
        const usage = { usageId: String(index), model, quantities: quantitiesOf(readBy(vendor, body)), account: 'a', atMs: Date.parse('2026-07-01T12:00:00Z'), tier: 'default', mode: 'realtime' };
        const lines = rateUsage(compiled.get(vendor)!, usage, createCounters());
        priced += 1;
        if ('refused' in lines) return [{ index, vendor, model, lines }];
        const tokens = lines.filter((line) => line.class !== 'request');
        const sum = (isOutput: boolean): bigint => tokens.reduce((total, line) => (outputMeters.includes(line.class) === isOutput ? total + line.amount : total), 0n);
        return sum(false) === published(input) && sum(true) === published(output) ? [] : [{ index, vendor, model, input: [formatMoney(sum(false)), input], output: [formatMoney(sum(true)), output] }];
      }),
    );
    expect(differing).toEqual([]);
    expect(priced).toBeGreaterThan(800);
  });
});
