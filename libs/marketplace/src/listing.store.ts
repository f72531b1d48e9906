import { z } from 'zod';
import { maxTokensPolicies, tokenClasses, unsupportedParameterPolicies } from '@kilotoken/contracts';
import { parseMoney } from '@kilotoken/money';
import type { RawDb } from '@kilotoken/platform';
import type { PrismaDb } from '@kilotoken/platform/prisma';
import { formatRates, type SalePrice } from '@kilotoken/pricing';
import { capabilitiesOf, costRatesSchema, lacksOf, laneKinds, laneTimeoutsSchema, type LaneOffer } from './lane.js';
import { type Listing, type ListingOrigin, listingOrigins, type ModelTerms } from './listing.js';
import type { KnownCatalogue, KnownLane } from './listing-plan.js';

/**
 * Keeps other writers of the catalogue out until this transaction ends. Every change takes this row by its trigger anyway;
 * taking it first means that what is compared cannot change before it is written.
 */
export const lockCatalogue = async (db: PrismaDb): Promise<void> => {
  await db.$queryRaw`SELECT version FROM config_version FOR UPDATE`;
};

/** The models that are for sale, with their origins. */
export const readOrigins = async (db: RawDb): Promise<ReadonlyMap<string, ListingOrigin>> => {
  const rows = await db.$queryRaw<{ id: string; origin: string }[]>`SELECT id, origin FROM model WHERE retired_at IS NULL ORDER BY id`;
  return new Map(rows.map(({ id, origin }) => [id, originSchema.parse(origin)]));
};

/** Reads the models of this origin and the named models, retired ones included. */
export const readKnown = async (db: PrismaDb, priceBookId: string, origin: ListingOrigin, modelIds: string[]): Promise<KnownCatalogue> => {
  const models = await db.model.findMany({
    where: { OR: [{ origin }, { id: { in: modelIds } }] },
    include: { lanes: { orderBy: { id: 'asc' } }, priceVersions: { where: { priceBookId }, orderBy: { effectiveAt: 'desc' }, take: 1, include: { rates: true } } },
  });
  return {
    models: new Map(
      models.map((row) => [row.id, { ...toTerms(row), origin: originSchema.parse(row.origin), retired: row.retiredAt !== null }]),
    ),
    lanes: new Map(models.map(({ id, lanes }) => [id, lanes.map(toKnownLane)])),
    sales: new Map(models.flatMap(({ id, priceVersions }) => priceVersions.map((version) => [id, toSalePrice(version)] as const))),
  };
};

const originSchema = z.enum(listingOrigins);
const classesSchema = z.array(z.enum(tokenClasses));
type LaneRow = Awaited<ReturnType<PrismaDb['lane']['findFirstOrThrow']>>;

type TermColumns = { [K in keyof ModelTerms]: ModelTerms[K] extends number | null ? ModelTerms[K] : string };

const toTerms = ({ contextWindow, maxOutputTokens, imageTokens, unsupportedParameters, maxTokensAbove }: TermColumns): ModelTerms => ({
  contextWindow,
  maxOutputTokens,
  imageTokens,
  unsupportedParameters: z.enum(unsupportedParameterPolicies).parse(unsupportedParameters),
  maxTokensAbove: z.enum(maxTokensPolicies).parse(maxTokensAbove),
});

const toKnownLane = (row: LaneRow): KnownLane => ({
  id: row.id,
  position: row.position,
  origin: originSchema.parse(row.origin),
  retired: row.retiredAt !== null,
  kind: z.enum(laneKinds).parse(row.kind),
  baseUrl: row.baseUrl,
  upstreamModel: row.upstreamModel,
  keyEnv: row.keyEnv,
  cost: { currency: row.costCurrency, per: row.costPer, rates: costRatesSchema.parse(row.costRates) },
  capabilities: capabilitiesOf(row),
  tokenClasses: new Set(classesSchema.parse(row.tokenClasses)),
  tokenizer: row.tokenizer,
  timeouts: laneTimeoutsSchema.parse(row.timeouts),
  drain: row.drain,
});

interface PriceRow {
  readonly currency: string;
  readonly rates: readonly { readonly tokenClass: string; readonly amount: { toFixed(): string } | null; readonly per: bigint }[];
}

const toSalePrice = ({ currency, rates }: PriceRow): SalePrice => ({
  currency,
  // Versions that are published from listings have one `per`; -1 agrees with no listing.
  per: rates.every(({ per }) => per === rates[0]!.per) && rates[0] ? rates[0].per : -1n,
  rates: Object.fromEntries(rates.map(({ tokenClass, amount }) => [tokenClass, amount === null ? null : parseMoney(amount.toFixed())])),
});

export const insertModel = async (db: PrismaDb, origin: ListingOrigin, listing: Listing): Promise<void> => {
  await db.model.create({ data: { id: listing.modelId, ...toTerms(listing), origin } });
};

/** Also brings a retired model back. */
export const updateModel = async (db: PrismaDb, origin: ListingOrigin, listing: Listing): Promise<void> => {
  await db.model.update({ where: { id: listing.modelId }, data: { ...toTerms(listing), origin, retiredAt: null } });
};

export const retireModel = async (db: PrismaDb, id: string, now: Date): Promise<void> => {
  await db.model.update({ where: { id }, data: { retiredAt: now } });
};

const termColumns = (offer: LaneOffer) => ({
  capabilities: [...offer.capabilities].sort(),
  tokenClasses: tokenClasses.filter((name) => offer.tokenClasses.has(name)),
  tokenizer: offer.tokenizer,
  timeouts: { ...offer.timeouts },
  drain: offer.drain,
  lacks: lacksOf(offer),
});

export const insertLane = async (db: PrismaDb, lane: { id: string; modelId: string; position: number; origin: ListingOrigin; offer: LaneOffer }): Promise<void> => {
  const { offer, ...place } = lane;
  await db.lane.create({
    data: {
      ...place,
      ...termColumns(offer),
      kind: offer.kind,
      baseUrl: offer.baseUrl,
      upstreamModel: offer.upstreamModel,
      keyEnv: offer.keyEnv,
      costCurrency: offer.cost.currency,
      costPer: offer.cost.per,
      costRates: formatRates(offer.cost.rates),
    },
  });
};

/** Changes what may change of a lane, and brings a retired one back. */
export const updateLane = async (db: PrismaDb, id: string, change: { position: number; origin: ListingOrigin; offer: LaneOffer }): Promise<void> => {
  const { position, origin, offer } = change;
  await db.lane.update({ where: { id }, data: { position, origin, retiredAt: null, ...termColumns(offer) } });
};

export const retireLane = async (db: PrismaDb, id: string, now: Date): Promise<void> => {
  await db.lane.update({ where: { id }, data: { retiredAt: now } });
};


/** False: there is no such lane, or it is retired. */
export const drainLane = async (db: PrismaDb, id: string, drain: boolean): Promise<boolean> => (await db.lane.updateMany({ where: { id, retiredAt: null }, data: { drain } })).count > 0;
