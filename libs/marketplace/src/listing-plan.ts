import { tokenClasses } from '@kilotoken/contracts';
import { AppError } from '@kilotoken/platform';
import type { SalePrice } from '@kilotoken/pricing';
import type { LaneOffer } from './lane.js';
import type { Listing, ListingOrigin, ModelTerms } from './listing.js';

/**
 * The changes that make the catalogue agree with the listings of one origin. Unnamed models and lanes are retired and never
 * deleted, because usage rows refer to them for ever.
 *
 * A lane's destination and cost are never edited. A new address, upstream model, key or cost makes a new lane, so a usage row's
 * lane tells where the request went and at which cost, whatever changed since.
 */
export interface KnownModel extends ModelTerms {
  readonly origin: ListingOrigin;
  readonly retired: boolean;
}

export interface KnownLane extends LaneOffer {
  readonly id: string;
  readonly position: number;
  readonly origin: ListingOrigin;
  readonly retired: boolean;
}

/** By model id. `sales` has the latest published price, in effect or yet to come. */
export interface KnownCatalogue {
  readonly models: ReadonlyMap<string, KnownModel>;
  readonly lanes: ReadonlyMap<string, readonly KnownLane[]>;
  readonly sales: ReadonlyMap<string, SalePrice>;
}

export type ListingStep =
  | { readonly kind: 'model_added'; readonly listing: Listing }
  | { readonly kind: 'model_updated' | 'model_restored'; readonly listing: Listing; readonly before: ModelTerms }
  | { readonly kind: 'model_retired'; readonly modelId: string }
  | { readonly kind: 'lane_added'; readonly modelId: string; readonly position: number; readonly offer: LaneOffer }
  | {
      readonly kind: 'lane_updated' | 'lane_restored';
      readonly modelId: string;
      readonly laneId: string;
      readonly position: number;
      readonly offer: LaneOffer;
      readonly before: LaneOffer & { readonly position: number };
    }
  | { readonly kind: 'lane_retired'; readonly modelId: string; readonly laneId: string; readonly baseUrl: string }
  | { readonly kind: 'price_published'; readonly modelId: string; readonly sale: SalePrice; readonly before: SalePrice | null };

/** The steps in an order that keeps references whole; none when all agrees. Throws `model_listed_elsewhere`. */
export const planListings = (origin: ListingOrigin, listings: readonly Listing[], known: KnownCatalogue): ListingStep[] => {
  const listed = new Set(listings.map(({ modelId }) => modelId));
  const steps = listings.flatMap((listing) => planListing(origin, listing, known));
  for (const [modelId, model] of known.models) {
    if (model.origin !== origin || model.retired || listed.has(modelId)) continue;
    steps.push({ kind: 'model_retired', modelId }, ...retireLanes(modelId, known.lanes.get(modelId) ?? []));
  }
  return steps;
};

const planListing = (origin: ListingOrigin, listing: Listing, known: KnownCatalogue): ListingStep[] => {
  const { modelId } = listing;
  const model = known.models.get(modelId);
  if (model && model.origin !== origin && !model.retired) throw listedElsewhere(origin, model.origin, modelId);
  const steps: ListingStep[] = [];
  if (!model) steps.push({ kind: 'model_added', listing });
  else if (model.retired) steps.push({ kind: 'model_restored', listing, before: model });
  else if (modelTermsOf(model) !== modelTermsOf(listing)) steps.push({ kind: 'model_updated', listing, before: model });
  steps.push(...planLanes(origin, listing, known.lanes.get(modelId) ?? []));
  const sale = known.sales.get(modelId);
  if (!sale || !isSamePrice(sale, listing.sale)) steps.push({ kind: 'price_published', modelId, sale: listing.sale, before: sale ?? null });
  return steps;
};

const planLanes = (origin: ListingOrigin, { modelId, lanes: offers }: Listing, known: readonly KnownLane[]): ListingStep[] => {
  // An active lane is preferred to a retired one of the same identity.
  const byIdentity = new Map([...known].sort((a, b) => Number(b.retired) - Number(a.retired)).map((lane) => [identityOf(lane), lane]));
  const kept = new Set<string>();
  const steps = offers.flatMap((offer, position): ListingStep[] => {
    const lane = byIdentity.get(identityOf(offer));
    if (!lane) return [{ kind: 'lane_added', modelId, position, offer }];
    kept.add(lane.id);
    if (lane.retired) return [{ kind: 'lane_restored', modelId, laneId: lane.id, position, offer, before: lane }];
    const agrees = lane.position === position && lane.origin === origin && termsOf(lane) === termsOf(offer);
    return agrees ? [] : [{ kind: 'lane_updated', modelId, laneId: lane.id, position, offer, before: lane }];
  });
  return [...steps, ...retireLanes(modelId, known.filter(({ id }) => !kept.has(id)))];
};

const retireLanes = (modelId: string, lanes: readonly KnownLane[]): ListingStep[] =>
  lanes.filter(({ retired }) => !retired).map(({ id, baseUrl }) => ({ kind: 'lane_retired', modelId, laneId: id, baseUrl }));

/** A lane's destination and cost, which are never edited. */
const identityOf = ({ kind, baseUrl, upstreamModel, keyEnv, cost }: LaneOffer): string =>
  JSON.stringify([kind, baseUrl, upstreamModel, keyEnv, cost.currency, String(cost.per), ratesOf(cost)]);

/** The terms of a lane that may be edited in place. */
const termsOf = ({ capabilities, tokenClasses: classes, tokenizer, timeouts, drain }: LaneOffer): string =>
  JSON.stringify([[...capabilities].sort(), [...classes].sort(), tokenizer, timeouts.connectMs, timeouts.firstByteMs, timeouts.idleMs, timeouts.answerMs, drain]);

const modelTermsOf = ({ contextWindow, maxOutputTokens, imageTokens, unsupportedParameters, maxTokensAbove }: ModelTerms): string =>
  JSON.stringify([contextWindow, maxOutputTokens, imageTokens, unsupportedParameters, maxTokensAbove]);

const ratesOf = ({ rates }: SalePrice): (string | null)[][] =>
  tokenClasses.flatMap((name) => (rates[name] === undefined ? [] : [[name, rates[name] === null ? null : String(rates[name])]]));

const isSamePrice = (a: SalePrice, b: SalePrice): boolean =>
  a.currency === b.currency && a.per === b.per && JSON.stringify(ratesOf(a)) === JSON.stringify(ratesOf(b));

const namesOfOrigins: Readonly<Record<ListingOrigin, string>> = { seed: 'the demo', file: 'the lanes file', console: 'the console', engine: "the setting of the worker's engine" };

const listedElsewhere = (origin: ListingOrigin, other: ListingOrigin, modelId: string): AppError =>
  new AppError({
    code: 'model_listed_elsewhere',
    kind: 'conflict',
    publicMessage:
      `The model ${modelId} is in ${namesOfOrigins[origin]}, but ${namesOfOrigins[other]} already offers a model of this name. ` +
      'Give one of them another name; nothing was changed.',
    details: { modelId, origin, listedBy: other },
  });
