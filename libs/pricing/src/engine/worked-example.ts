/** Books of one rate, for the worked examples of others that the specs restate. */
import { formatMoney } from '@kilotoken/money';
import { normalizeBook } from '../book/normalize.js';
import { priceBookFile, type PriceBook } from '../book/price-book.js';
import { compileBook } from './compile.js';
import { createCounters } from './counters.js';
import { parseQuantity } from './quantity.js';
import { rateUsage } from './rate.js';
import type { RatableUsage, RatedLine } from './rated-usage.js';

type Rest = Omit<RatableUsage, 'usageId' | 'model' | 'quantities' | 'account' | 'atMs' | 'tier' | 'mode'>;

export const bookOf = (file: object): PriceBook => normalizeBook(priceBookFile.parse({ book: 'example', currency: 'USD', ...file })).book;

export const usageOf = (quantities: Readonly<Record<string, string>>, rest: Partial<Rest> & { readonly [fact: string]: unknown } = {}): RatableUsage => ({
  usageId: 'u1',
  model: 'm',
  quantities: Object.fromEntries(Object.entries(quantities).map(([name, quantity]) => [name, parseQuantity(quantity)])),
  account: 'acme',
  atMs: Date.parse('2026-03-10T12:00:00Z'),
  tier: 'default',
  mode: 'realtime',
  ...rest,
});

/** Throws where a usage is refused. */
export const linesOf = (rated: ReturnType<typeof rateUsage>): readonly RatedLine[] => {
  if ('refused' in rated) throw new RangeError(`no price for ${rated.class}`);
  return rated;
};

export const totalOf = (lines: readonly RatedLine[]): string => formatMoney(lines.reduce((sum, { amount }) => sum + amount, 0n));

/** The cost of a quantity at one price with its modifiers. */
export const costOf = (rate: object, quantity: string): string => {
  const compiled = compileBook(bookOf({ rates: [{ id: 'r', models: ['m'], per: 1, classes: ['tool_call'], ...rate }] }));
  return totalOf(linesOf(rateUsage(compiled, usageOf({ tool_call: quantity }), createCounters())));
};

/** Steps as [up to, price, flat amount]; null is open. */
export type StepRow = readonly [upTo: string | null, amount: string, flat?: string];

export const tiered = (tiers: 'graduated' | 'volume', rows: readonly StepRow[]): object => ({
  price: { tiers, steps: rows.map(([upTo, amount, flat]) => ({ ...(upTo === null ? {} : { up_to: upTo }), amount, ...(flat === undefined ? {} : { flat }) })) },
});
