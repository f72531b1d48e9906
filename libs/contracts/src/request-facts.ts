import type { NeededCapability } from './capabilities.js';
import type { PromptMedia } from './prompt-media.js';

/** The facts of a request that admission needs, whatever protocol it came by. */
export type RequestFacts = {
  readonly needed: readonly NeededCapability[];
  /** An upper bound of the tokens of each prompt's text: one number for a chat, one for each prompt of a legacy completion. */
  readonly promptTokens: readonly number[];
  readonly media: PromptMedia;
  /** The tokens that rejected predictions may add to the answer. */
  readonly predictionTokens: number;
};
