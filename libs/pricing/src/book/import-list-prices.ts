/**
 * Imports vendors' list prices, in the format of pydantic/genai-prices (MIT), as a catalogue: a price book for each vendor. Prices there are USD for a
 * million tokens; one with `tiers` holds for the whole request from so many tokens of prompt on; `constraint` limits prices to dates or to times of
 * day in UTC; `match` says which other names a model has.
 *
 *   { "id": "sonnet", "match": { "starts_with": "sonnet-4" }, "prices": { "input_mtok": { "base": 3, "tiers": [{ "start": 200000, "price": 6 }] } } }
 *
 *   rates:   - { models: [sonnet], when: { context: { up_to: "200000" } }, per: "1000000", prices: { input: "3", output: null } }
 *            - { models: [sonnet], when: { context: { over: "200000" } }, per: "1000000", prices: { input: "6", output: null } }
 *   aliases: - { model: sonnet, match: [sonnet-4*] }
 */
import { z } from 'zod';
import type { Meter } from './book-values.js';
import { addPercent, plainDecimal, priceFor } from './exact-decimal.js';
import { mistakesOf, type PathMistake } from './mistakes.js';
import type { PriceBookFile } from './price-book.js';
import { patternsOf, matchRule, type MatchRule } from './list-price-names.js';

/** Numbers are text (book-file.ts). */
const amount = z.string().transform((text, context) => {
  const decimal = plainDecimal(text);
  if (decimal !== null) return decimal;
  context.addIssue({ code: 'custom', message: `is ${text.slice(0, 60)}: must be a decimal of 0 or more with at most 26 digits before the point and 40 after it` });
  return z.NEVER;
});
const bandedAmount = z.union([amount, z.strictObject({ base: amount, tiers: z.array(z.strictObject({ start: z.string().regex(/^\d{1,15}$/), price: amount })).min(1) })]);

const meterOf: Readonly<Record<string, { readonly meters: readonly Meter[]; readonly per: string }>> = {
  input_mtok: { meters: ['input'], per: '1000000' },
  output_mtok: { meters: ['output'], per: '1000000' },
  cache_read_mtok: { meters: ['cached_read'], per: '1000000' },
  // The lists do not tell how long the cache keeps what was written.
  cache_write_mtok: { meters: ['cache_write_5m', 'cache_write_1h'], per: '1000000' },
  cache_audio_read_mtok: { meters: ['cached_audio_read'], per: '1000000' },
  input_audio_mtok: { meters: ['audio_in'], per: '1000000' },
  output_audio_mtok: { meters: ['audio_out'], per: '1000000' },
  requests_kcount: { meters: ['request'], per: '1000' },
};
const listPrices = z.partialRecord(z.enum(Object.keys(meterOf) as [string, ...string[]]), bandedAmount);

const constraint = z.union([
  z.strictObject({ start_date: z.string().regex(/^\d{4}-\d{2}-\d{2}$/) }),
  z.strictObject({ start_time: z.string().regex(/^\d{2}:\d{2}:00Z$/), end_time: z.string().regex(/^\d{2}:\d{2}:00Z$/) }),
]);
const conditional = z.strictObject({ constraint: constraint.optional(), prices: listPrices });

const listedModel = z.object({ id: z.string().min(1).max(256), match: matchRule, prices: z.union([listPrices, z.array(conditional).min(1)]) });
const listedVendor = z.object({ id: z.string().min(1).max(100), models: z.array(listedModel), fallback_model_providers: z.array(z.string()).optional() });
const listPricesFile = z.array(listedVendor).min(1);
type ListedModel = z.output<typeof listedModel>;
type ListedVendor = z.output<typeof listedVendor>;
type Prices = z.output<typeof listPrices>;
type Conditional = z.output<typeof conditional>;
type RateRow = PriceBookFile['rates'][number];

export interface ImportedBook {
  readonly vendor: string;
  /** The vendor's own; those that it sells for another vendor are in the book besides. */
  readonly models: number;
  /** Of those, the models that are listed without any price: the list means that they are free. */
  readonly free: readonly string[];
  /** As a price book's file, at the vendor's prices. */
  readonly cost: PriceBookFile;
  /** At the vendor's prices and the markup; null without one. */
  readonly sale: PriceBookFile | null;
}

export type ListPriceImport = { readonly ok: true; readonly books: readonly ImportedBook[] } | { readonly ok: false; readonly mistakes: readonly PathMistake[] };

/** `value` has numbers as text. Everything in it is imported, or nothing. */
export const importListPrices = (value: unknown, { markupPercent = null }: { readonly markupPercent?: string | null } = {}): ListPriceImport => {
  const parsed = listPricesFile.safeParse(value);
  if (!parsed.success) return { ok: false, mistakes: parsed.error.issues.flatMap((issue) => mistakesOf(issue, value)) };
  const vendors = new Map(parsed.data.map((vendor) => [vendor.id, vendor]));
  const mistakes: PathMistake[] = [];
  const books = parsed.data.map((vendor, index): ImportedBook => {
    const sold = soldBy(vendor, vendors);
    const windows = new Map<string, NonNullable<PriceBookFile['windows']>[string]>();
    const rates = sold.flatMap((model, at) => {
      const rows = ratesOf(model, windows);
      if (rows === null) mistakes.push({ path: [index, 'models', at, 'prices'], message: 'mixes dates and times of day, or has more than one price without a constraint, which cannot be imported' });
      return rows ?? [];
    });
    const aliases = aliasesOf(sold, (at) => mistakes.push({ path: [index, 'models', at, 'match'], message: 'is a pattern that cannot be imported. Only text, \\d and \\d{n} can be in a regex' }));
    const cost: PriceBookFile = { book: vendor.id, currency: 'USD', zone: 'UTC', ...(windows.size === 0 ? {} : { windows: Object.fromEntries(windows) }), ...(aliases.length === 0 ? {} : { aliases }), rates };
    const free = vendor.models.filter(isFree).map(({ id }) => id);
    return { vendor: vendor.id, models: vendor.models.length, free, cost, sale: markupPercent === null ? null : markUp(cost, markupPercent) };
  });
  return mistakes.length > 0 ? { ok: false, mistakes } : { ok: true, books };
};

const isFree = ({ prices }: ListedModel): boolean => !Array.isArray(prices) && Object.keys(prices).length === 0;

/** A vendor's models, and those of vendors for which it sells. Where it has a model of that name itself, its own price holds. */
const soldBy = (vendor: ListedVendor, vendors: ReadonlyMap<string, ListedVendor>): ListedModel[] => {
  const sold: ListedModel[] = [];
  const names = new Set<string>();
  for (const of of [vendor, ...(vendor.fallback_model_providers ?? []).flatMap((id) => vendors.get(id) ?? [])]) {
    for (const model of of.models) {
      if (names.has(model.id.toLowerCase())) continue;
      names.add(model.id.toLowerCase());
      sold.push(model);
    }
  }
  return sold;
};

/** Null: a mixture of constraints that has no one meaning. */
const ratesOf = ({ id, prices }: ListedModel, windows: Map<string, NonNullable<PriceBookFile['windows']>[string]>): RateRow[] | null => {
  const all: Conditional[] = Array.isArray(prices) ? prices : [{ prices }];
  const [base, ...others] = all.filter((row) => row.constraint === undefined);
  if (!base || others.length > 0) return null;
  const dated = all.flatMap((row) => (row.constraint && 'start_date' in row.constraint ? [{ from: row.constraint.start_date, prices: row.prices }] : [])).sort((a, b) => (a.from < b.from ? -1 : 1));
  const timed = all.flatMap((row) => (row.constraint && 'start_time' in row.constraint ? [{ ...row.constraint, prices: row.prices }] : []));
  if (dated.length > 0 && timed.length > 0) return null;
  const rows = rowsOf(id, base.prices, dated[0] ? { until: dated[0].from } : {});
  for (const [index, { from, prices: ofDate }] of dated.entries()) {
    const until = dated[index + 1]?.from;
    rows.push(...rowsOf(id, ofDate, { from, ...(until === undefined ? {} : { until }) }));
  }
  for (const { start_time, end_time, prices: ofTime } of timed) {
    const [from, to] = [start_time.slice(0, 5), end_time.slice(0, 5)];
    windows.set(`${from}-${to} UTC`, { from, to, zone: 'UTC' });
    rows.push(...rowsOf(id, ofTime, { windows: [`${from}-${to} UTC`] }));
  }
  return rows;
};

/** A row for each band of prompt lengths, and one for what is not counted in millions. */
const rowsOf = (model: string, prices: Prices, when: NonNullable<RateRow['when']>): RateRow[] => {
  const entries = Object.entries(prices);
  const starts = [...new Set(entries.flatMap(([, price]) => (typeof price === 'object' ? price.tiers.map(({ start }) => Number(start)) : [])))].sort((a, b) => a - b);
  const bands = [0, ...starts].map((start, index) => ({ start, end: starts[index] }));
  const rows = bands.flatMap(({ start, end }): RateRow[] => {
    const context = { ...(start === 0 ? {} : { over: String(start) }), ...(end === undefined ? {} : { up_to: String(end) }) };
    const conditions = bands.length === 1 ? when : { context, ...when };
    // Where there are other prices, the lack of one for input or output does not mean that it is free.
    const amountOfNone = entries.length === 0 ? '0' : null;
    const none = (['input', 'output'] as const).filter((side) => !(`${side}_mtok` in prices)).map((meter): Listed => ({ meter, per: '1000000', amount: amountOfNone }));
    return byPer([...none, ...listedAt(entries.filter(([key]) => key !== perRequest), start)], model, conditions);
  });
  return [...rows, ...byPer(listedAt(entries.filter(([key]) => key === perRequest), 0), model, when)];
};

const perRequest = 'requests_kcount';

interface Listed {
  readonly meter: Meter;
  readonly per: string;
  readonly amount: string | null;
}

const listedAt = (entries: readonly [string, Prices[string]][], start: number): Listed[] =>
  entries.flatMap(([key, price]) => {
    if (price === undefined) return [];
    const { meters, per } = meterOf[key]!;
    return meters.map((meter): Listed => ({ meter, ...priceFor(amountAt(price, start), per) }));
  });

const byPer = (listed: readonly Listed[], model: string, when: NonNullable<RateRow['when']>): RateRow[] =>
  [...new Set(listed.map(({ per }) => per))].map((per) => ({
    models: [model],
    ...(Object.keys(when).length === 0 ? {} : { when }),
    per,
    prices: Object.fromEntries(listed.filter((row) => row.per === per).map(({ meter, amount: of }) => [meter, of])),
  }));

/** The price of prompts of more than so many tokens. */
const amountAt = (price: z.output<typeof bandedAmount>, over: number): string => {
  if (typeof price === 'string') return price;
  return price.tiers.reduce((best, { start, price: of }) => (Number(start) <= over && Number(start) >= best.start ? { start: Number(start), of } : best), { start: -1, of: price.base }).of;
};

const aliasesOf = (models: readonly ListedModel[], refuse: (at: number) => void): NonNullable<PriceBookFile['aliases']> => {
  const taken = new Set(models.map(({ id }) => id.toLowerCase()));
  return models.flatMap(({ id, match }, at) => {
    const patterns = patternsOf(match as MatchRule);
    if (patterns === null) {
      refuse(at);
      return [];
    }
    const free = patterns.filter((pattern) => !taken.has(pattern.toLowerCase()) && taken.add(pattern.toLowerCase()));
    return free.length === 0 ? [] : [{ model: id, match: free }];
  });
};

const markUp = (cost: PriceBookFile, percent: string): PriceBookFile => ({
  ...cost,
  book: `${cost.book} sale`,
  rates: cost.rates.map((row) => ({ ...row, prices: Object.fromEntries(Object.entries(row.prices ?? {}).map(([meter, price]) => [meter, typeof price === 'string' ? addPercent(price, percent) : null])) })),
});
