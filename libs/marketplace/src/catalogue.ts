import { z } from 'zod';
import { maxTokensPolicies, tokenClasses, unsupportedParameterPolicies, wholeText } from '@kilotoken/contracts';
import { groupRates, priceKey, type BurnTable, type PriceVersion, type RateRow } from '@kilotoken/pricing';
import { capabilitiesOf, costRatesSchema, laneKinds, laneTimeoutsSchema, type Lane } from './lane.js';
import type { ModelTerms } from './listing.js';

/**
 * All that a gateway needs to know about what is for sale, as of one version of the configuration: models with their
 * lanes in order, and the prices of each price book. It is held in memory and replaced whole when the version moves.
 */
export interface CatalogueModel extends ModelTerms {
  readonly id: string;
  readonly createdAt: Date;
  readonly lanes: readonly Lane[];
}

export interface Catalogue {
  /** As `config_version` has it; a poll that answers another one means: load again. */
  readonly version: bigint;
  /** Retired models and lanes are not in it. */
  readonly models: ReadonlyMap<string, CatalogueModel>;
  /**
   * By `priceKey`, latest first: published ones that are yet to come, the one in effect, and those that a request admitted
   * in the last `pastPricesMs` may have been priced at. Any other is found by its id.
   */
  readonly prices: ReadonlyMap<string, readonly PriceVersion[]>;
  /** By pack unit, latest first, as far back as `prices`. */
  readonly burnTables: ReadonlyMap<string, readonly BurnTable[]>;
}

/** Rows as the store reads them: money and 64-bit numbers as text, whatever type parsers the pool has. */
export const modelRow = z.object({
  id: z.string(),
  context_window: z.int(),
  max_output_tokens: z.int(),
  image_tokens: z.int().nullable(),
  unsupported_parameters: z.enum(unsupportedParameterPolicies),
  max_tokens_above: z.enum(maxTokensPolicies),
  created_at: z.date(),
});

export const laneRow = z.object({
  id: z.string(),
  model_id: z.string(),
  position: z.int(),
  kind: z.enum(laneKinds),
  base_url: z.string(),
  upstream_model: z.string(),
  key_env: z.string().nullable(),
  cost_currency: z.string(),
  cost_per: wholeText,
  cost_rates: costRatesSchema,
  capabilities: z.array(z.string()),
  token_classes: z.array(z.enum(tokenClasses)),
  tokenizer: z.string(),
  timeouts: laneTimeoutsSchema,
  drain: z.boolean(),
  lacks: z.array(z.string()),
});

type ModelRow = z.infer<typeof modelRow>;
type LaneRow = z.infer<typeof laneRow>;

/** Rows come in the order that the lists are to have: lanes by position, rates by latest version first. */
export const buildCatalogue = (version: bigint, models: ModelRow[], lanes: LaneRow[], rates: RateRow[], burnTables: readonly BurnTable[]): Catalogue => {
  const lanesByModel = new Map<string, Lane[]>();
  for (const row of lanes) append(lanesByModel, row.model_id, buildLane(row));
  const prices = new Map<string, PriceVersion[]>();
  for (const [{ price_book_id, model_id }, priceVersion] of groupRates(rates)) append(prices, priceKey(price_book_id, model_id), priceVersion);
  const tablesByUnit = new Map<string, BurnTable[]>();
  for (const table of burnTables) append(tablesByUnit, table.unit, table);
  return {
    version,
    models: new Map(
      models.map((row) => [
        row.id,
        {
          id: row.id,
          contextWindow: row.context_window,
          maxOutputTokens: row.max_output_tokens,
          imageTokens: row.image_tokens,
          unsupportedParameters: row.unsupported_parameters,
          maxTokensAbove: row.max_tokens_above,
          createdAt: row.created_at,
          lanes: lanesByModel.get(row.id) ?? [],
        },
      ]),
    ),
    prices,
    burnTables: tablesByUnit,
  };
};

const buildLane = (row: LaneRow): Lane => ({
  id: row.id,
  modelId: row.model_id,
  position: row.position,
  kind: row.kind,
  baseUrl: row.base_url,
  upstreamModel: row.upstream_model,
  keyEnv: row.key_env,
  cost: { currency: row.cost_currency, per: row.cost_per, rates: row.cost_rates },
  capabilities: capabilitiesOf(row),
  tokenClasses: new Set(row.token_classes),
  tokenizer: row.tokenizer,
  timeouts: row.timeouts,
  drain: row.drain,
});

const append = <Value>(lists: Map<string, Value[]>, key: string, value: Value): void => {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
};
