import { z } from 'zod';
import { tokenClasses, type TokenClass } from '@kilotoken/contracts';
import { parseMoney } from '@kilotoken/money';
import type { PriceVersion, Rate } from './price.js';

/** How long ago a request may have been admitted that is still to be priced from a catalogue. */
export const pastPricesMs = 60_000;

/**
 * How old a gateway's copy of the catalogue may be. What replaces a version takes effect this much after its publication, so that
 * all gateways change at the same moment.
 */
export const snapshotAgeMsMax = 2_000;

/** The first moment from which a version may hold that follows `latest`, or at once where it follows none: no gateway has one to replace. */
export const soonestEffectiveAt = (now: Date, latest: Date | null): Date => (latest ? new Date(Math.max(now.getTime() + snapshotAgeMsMax, latest.getTime() + 1)) : now);

export const priceKey = (priceBookId: string, modelId: string): string => `${priceBookId}:${modelId}`;

/** One row per token class of a price version: money and 64-bit numbers as text, whatever type parsers the pool has. */
export const rateRow = z.object({
  id: z.string(),
  price_book_id: z.string(),
  model_id: z.string(),
  currency: z.string(),
  effective_at_ms: z.number(),
  token_class: z.enum(tokenClasses),
  amount: z.string().transform(parseMoney).nullable(),
  per: z.string().regex(/^\d+$/).transform(BigInt),
});

export type RateRow = z.infer<typeof rateRow>;

/** Each price version with the first of its rows. */
export const groupRates = (rows: RateRow[]): [RateRow, PriceVersion][] => {
  const groups = new Map<string, { first: RateRow; rates: Map<TokenClass, Rate> }>();
  for (const row of rows) {
    let group = groups.get(row.id);
    if (!group) groups.set(row.id, (group = { first: row, rates: new Map() }));
    group.rates.set(row.token_class, { amount: row.amount, per: row.per });
  }
  return [...groups.values()].map(({ first, rates }) => [
    first,
    { id: first.id, currency: first.currency, effectiveAtMs: first.effective_at_ms, rates },
  ]);
};
