/**
 * The defaults of the local model. The worker takes its context from here, and so
 * does whoever enters the model into the catalogue: a prompt that the catalogue promises to take must fit.
 */
export const localModelDefaults = {
  /** Answers that are computed together. */
  slots: 16,
  /** Prompt and answer of each. 16 × 2,048 take 0.8 GB of cache for SmolLM2-135M, which was trained on 8,192. */
  contextTokens: 2_048,
} as const;
