/**
 * The catalogue of the gateway's errors: status, type and retry advice of each code, whatever protocol a client speaks.
 * `docs/errors.md` explains each code, and a test keeps both equal.
 */
type CatalogueEntry = {
  readonly status: number;
  readonly type: string;
  /** The value of `x-should-retry`. OpenAI's SDKs retry 408, 409, 429 and 5xx by themselves unless it is `false`. */
  readonly shouldRetry: boolean;
};

const refusal = (status: number, type = 'invalid_request_error'): CatalogueEntry => ({ status, type, shouldRetry: false });
const passing = (status: number, type: string): CatalogueEntry => ({ status, type, shouldRetry: true });

export const errorCatalogue = {
  // The body as bytes.
  empty_body: refusal(400),
  invalid_encoding: refusal(400),
  invalid_json: refusal(400),
  nesting_too_deep: refusal(400),
  body_too_complex: refusal(400),
  duplicate_key: refusal(400),
  forbidden_key: refusal(400),
  body_too_large: refusal(413),
  unsupported_media_type: refusal(415),
  // Parameters, with OpenAI's own codes where it has one.
  unknown_parameter: refusal(400),
  unsupported_parameter: refusal(400),
  unsupported_value: refusal(400),
  missing_required_parameter: refusal(400),
  conflicting_parameters: refusal(400),
  invalid_type: refusal(400),
  invalid_value: refusal(400),
  invalid_image_url: refusal(400),
  empty_array: refusal(400),
  array_above_max_length: refusal(400),
  object_above_max_properties: refusal(400),
  string_above_max_length: refusal(400),
  string_below_min_length: refusal(400),
  integer_above_max_value: refusal(400),
  integer_below_min_value: refusal(400),
  decimal_above_max_value: refusal(400),
  decimal_below_min_value: refusal(400),
  token_prompt_unsupported: refusal(400),
  context_length_exceeded: refusal(400),
  output_ceiling_exceeded: refusal(400),
  price_unavailable: refusal(400),
  // Authentication and addresses.
  missing_api_key: refusal(401),
  invalid_api_key: refusal(401),
  expired_api_key: refusal(401),
  insufficient_quota: refusal(402, 'insufficient_quota'),
  model_not_allowed: refusal(403, 'permission_error'),
  not_found: refusal(404),
  model_not_found: refusal(404),
  method_not_allowed: refusal(405),
  request_timeout: passing(408, 'invalid_request_error'),
  idempotency_conflict: refusal(409),
  idempotency_key_reused: refusal(422),
  // Not now.
  balance_held: passing(429, 'rate_limit_error'),
  rate_limit_exceeded: passing(429, 'rate_limit_error'),
  budget_exceeded: refusal(429, 'rate_limit_error'),
  queue_full: passing(429, 'rate_limit_error'),
  server_draining: passing(503, 'server_error'),
  service_unavailable: passing(503, 'server_error'),
  session_lost: passing(503, 'server_error'),
  lane_unavailable: passing(503, 'server_error'),
  // Ours, or the vendor's. What may already have been charged is not to be repeated by an SDK on its own.
  internal_error: refusal(500, 'server_error'),
  settlement_failed: refusal(500, 'server_error'),
  upstream_error: passing(502, 'server_error'),
  upstream_invalid_usage: refusal(502, 'server_error'),
  upstream_timeout: passing(504, 'server_error'),
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof errorCatalogue;

/**
 * A fault of a request's body. The message is for the caller: it names the parameter and quotes at most a short value, never a
 * prompt.
 */
export class ContractError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly param: string | null = null,
  ) {
    super(message);
    this.name = 'ContractError';
  }
}
