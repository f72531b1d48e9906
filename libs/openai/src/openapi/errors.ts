import { errorCatalogue, type ErrorCode } from '@kilotoken/contracts';
import type { JsonSchema } from './json-schema.js';

const codes = Object.keys(errorCatalogue) as ErrorCode[];

/** Of any request under /v1: who asks, whether the gateway can answer, whether path and method fit. */
const common: readonly ErrorCode[] = [
  'missing_api_key', 'invalid_api_key', 'expired_api_key', 'method_not_allowed', 'request_timeout', 'server_draining', 'service_unavailable', 'internal_error',
];

/** A completion can meet all of the catalogue but what is about other paths. */
export const completionErrors: readonly ErrorCode[] = codes.filter((code) => code !== 'not_found');
export const readErrors = (...own: readonly ErrorCode[]): readonly ErrorCode[] => codes.filter((code) => common.includes(code) || own.includes(code));

export const textHeader = (description: string): JsonSchema => ({ description, schema: { type: 'string' } });

export const traceId = textHeader('The trace of the request, where it is traced.');

const retryAfter = { 'retry-after': textHeader('Seconds to wait.') };
const retryAfterMs = { 'retry-after-ms': textHeader('The same in milliseconds, where a limit refused.') };

/** As OpenAI's, of the tightest limits of requests and of tokens; none where there is no limit. */
export const rateLimitHeaders: Record<string, JsonSchema> = Object.fromEntries(
  ['requests', 'tokens'].flatMap((group) => [
    [`x-ratelimit-limit-${group}`, textHeader(`How many ${group} the tightest limit allows.`)],
    [`x-ratelimit-remaining-${group}`, textHeader(`How many ${group} are left of it.`)],
    [`x-ratelimit-reset-${group}`, textHeader('When it is whole again, such as 1m30s.')],
  ]),
);
const shouldRetry = { description: "Whether a retry can help. OpenAI's SDKs honour it.", schema: { enum: ['true', 'false'] } };

/** One response a status, which names its codes. */
export const errorResponses = (errors: readonly ErrorCode[]): Record<string, JsonSchema> => {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of errors) byStatus.set(errorCatalogue[code].status, [...(byStatus.get(errorCatalogue[code].status) ?? []), code]);
  return Object.fromEntries(
    [...byStatus.entries()].sort(([a], [b]) => a - b).map(([status, of]) => [
      String(status),
      {
        description: of.map((code) => `\`${code}\``).join(', '),
        headers: {
          'x-request-id': { $ref: '#/components/headers/RequestId' },
          'x-trace-id': traceId,
          'x-should-retry': shouldRetry,
          ...(status === 429 ? { ...retryAfter, ...retryAfterMs, ...rateLimitHeaders } : status === 503 ? retryAfter : {}),
        },
        content: {
          'application/json': {
            schema: { allOf: [{ $ref: '#/components/schemas/Error' }, { properties: { error: { properties: { code: { enum: of } } } } }] },
          },
        },
      },
    ]),
  );
};
