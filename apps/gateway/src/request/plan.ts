import type { CatalogueModel, Lane } from '@kilotoken/marketplace';
import type { UnitRequest } from '@kilotoken/funding';
import type { PriceVersion, WorstCase } from '@kilotoken/pricing';
import type { UnitTerms } from '@kilotoken/usage';

/** A unit that may pay: how it burns, what the request costs in it at most, and at least where it may be shrunk. */
export interface PayingUnit extends UnitRequest, UnitTerms {
  readonly worst: WorstCase;
}

/** The lanes that may serve a request, and its worst case in each unit that may pay. */
export interface Plan {
  readonly model: CatalogueModel;
  /** Those that can honour the request, in their order; at least one. */
  readonly lanes: readonly Lane[];
  /** Parameters that none of these lanes honours and that are left out, by name; a `max_tokens` that was lowered is among them. */
  readonly dropped: readonly string[];
  readonly price: PriceVersion;
  /** An upper bound of the prompt's tokens: its bytes and its template's, at most the context window. */
  readonly promptTokensMax: bigint;
  /** The prompt's tokens for token limits: below the bound if it has images, sound or files, whose bound is the window. */
  readonly promptTokensCounted: bigint;
  /** Answers that the vendor may write: prompts × max(n, best_of). */
  readonly choices: number;
  readonly predictedTokensMax: bigint;
  /** The most that each choice may have, before money is looked at. */
  readonly outputTokensMax: number;
  /** The least that is worth running where little is left; equal to the most where the client set it. */
  readonly outputTokensMin: number;
  /** Packs of the organization that burn for this model, and the currency of the price, which is last. */
  readonly units: readonly [PayingUnit, ...PayingUnit[]];
}
