/** How freely a request may ask: a model's settings, each of which a key may set for itself. */

/**
 * A parameter that none of the model's lanes understands: `drop` leaves it out and names it in `x-kilotoken-dropped`, `refuse` answers
 * `unsupported_parameter`. What an answer would be wrong without (tools, formats, `n`, `logprobs`, images, …) is always refused.
 */
export const unsupportedParameterPolicies = ['drop', 'refuse'] as const;
export type UnsupportedParameterPolicy = (typeof unsupportedParameterPolicies)[number];

/** A `max_tokens` above the model's: `refuse` answers `output_ceiling_exceeded`, `clamp` takes the model's. */
export const maxTokensPolicies = ['refuse', 'clamp'] as const;
export type MaxTokensPolicy = (typeof maxTokensPolicies)[number];
