import type { MaxTokensPolicy, UnsupportedParameterPolicy } from '@kilotoken/contracts';
import type { SalePrice } from '@kilotoken/pricing';
import type { LaneOffer } from './lane.js';

/**
 * A listing is what somebody declares to be for sale: a model, its sale price and its lanes in the order of trying. The
 * lanes file and the demo seed both say it in listings; what is in the database is made to agree with them.
 */
export const listingOrigins = ['seed', 'file', 'console', 'engine'] as const;
export type ListingOrigin = (typeof listingOrigins)[number];

/** A model's terms, the same for all its lanes. */
export interface ModelTerms {
  readonly contextWindow: number;
  readonly maxOutputTokens: number;
  /** The most tokens that one image can cost; null where nobody has said. */
  readonly imageTokens: number | null;
  readonly unsupportedParameters: UnsupportedParameterPolicy;
  readonly maxTokensAbove: MaxTokensPolicy;
}

export const defaultModelSettings = { imageTokens: null, unsupportedParameters: 'drop', maxTokensAbove: 'refuse' } as const;

export interface Listing extends ModelTerms {
  readonly modelId: string;
  readonly sale: SalePrice;
  readonly lanes: readonly LaneOffer[];
}

/** As the table `model` wants it. */
export const modelIdPattern = /^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}$/;

/** The price book that the lanes file and the seed publish in, and that an organization has unless it is given another. */
export const listPriceBook = 'list';

/** Bounds that keep a catalogue small enough to be loaded whole, and a request's attempts few. */
export const listingsMax = 1_000;
export const lanesPerModelMax = 16;
