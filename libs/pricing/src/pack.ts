/**
 * Pack units: what token packages are counted in, such as `qwen-pack`. A token of a class burns its weight of the unit, which
 * the burn table in force when the request was admitted says; the usage row pins the table. Pure.
 *
 *   qwen-pack   input 1, output 4, cached_read 0.1 a token; audio_out null: outside its scope
 */
import { parentClass, tokenClasses, wholeText, type TokenClass } from '@kilotoken/contracts';
import { parseMoney, roundingModes, type Money, type Rounding } from '@kilotoken/money';
import { z } from 'zod';
import type { PriceVersion } from './price.js';
import { rateFor, worstCaseOf, type WorstCase } from './pricing.js';

/** A pack unit's name can be no currency's, which is three capital letters. */
export const packUnitPattern = /^[a-z][a-z0-9-]{1,62}$/;

/** One version of a pack unit's weights, for one model or, where that is null, for every model without a table of its own. */
export interface BurnTable {
  readonly id: string;
  readonly unit: string;
  readonly modelId: string | null;
  readonly effectiveAtMs: number;
  readonly rates: PriceVersion['rates'];
  /** The unit's: declared with it and never changed. */
  readonly rounding: Rounding;
}

/** One row a token class of a burn table, as the store reads it: money and 64-bit numbers as text. */
export const burnRow = z.object({
  id: z.string(),
  unit: z.string(),
  model_id: z.string().nullable(),
  effective_at_ms: z.number(),
  decimals: z.int(),
  rounding: z.enum(roundingModes),
  token_class: z.enum(tokenClasses),
  amount: z.string().transform(parseMoney).nullable(),
  per: wholeText,
});
type BurnRow = z.infer<typeof burnRow>;

/** The tables that rows make, in their order. */
export const groupBurnTables = (rows: readonly BurnRow[]): BurnTable[] => {
  const tables = new Map<string, BurnTable & { rates: Map<TokenClass, { amount: Money | null; per: bigint }> }>();
  for (const row of rows) {
    let table = tables.get(row.id);
    if (!table) {
      const { id, unit, model_id, effective_at_ms, decimals, rounding } = row;
      table = { id, unit, modelId: model_id, effectiveAtMs: effective_at_ms, rounding: { decimals, mode: rounding }, rates: new Map() };
      tables.set(id, table);
    }
    table.rates.set(row.token_class, { amount: row.amount, per: row.per });
  }
  return [...tables.values()];
};

/** The table in force at a moment, of a unit's tables sorted by `effectiveAtMs`, latest first: the model's own before the general one. */
export const burnTableAt = (tables: readonly BurnTable[], modelId: string, atMs: number): BurnTable | null =>
  tables.find((table) => table.modelId === modelId && table.effectiveAtMs <= atMs) ??
  tables.find((table) => table.modelId === null && table.effectiveAtMs <= atMs) ??
  null;

/** The worst case of requests in a pack, and whether the pack pays for every class that the lanes can return. */
export interface PackWorstCase {
  readonly worst: WorstCase;
  readonly covers: boolean;
}

/** Classes outside the pack's scope cost it nothing; where there are such, another unit has to pay the end of the request. */
export const packWorstCaseOf = (declared: Iterable<TokenClass>, { rates, rounding }: BurnTable): PackWorstCase => {
  const classes = new Set<TokenClass>(['input', 'output', ...declared]);
  const outside = [...classes].filter((tokenClass) => rateFor(rates, tokenClass) === null);
  const bounded = new Map(rates);
  for (const tokenClass of [...outside, ...outside.map((name) => parentClass[name])]) {
    if (rateFor(bounded, tokenClass) === null) bounded.set(tokenClass, { amount: 0n, per: 1n });
  }
  return { worst: worstCaseOf(classes, bounded, rounding), covers: outside.length === 0 };
};
