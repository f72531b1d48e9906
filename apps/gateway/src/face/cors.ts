import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** Origins whose pages may call this gateway from a browser: some, or all of them. */
export type CorsOrigins = ReadonlySet<string> | '*';

/** The headers of an answer that scripts may read. A test keeps this list equal to the headers that the gateway sends. */
export const exposedHeaders = [
  'allow',
  'retry-after',
  'retry-after-ms',
  'x-kilotoken-balance',
  'x-kilotoken-charge',
  'x-kilotoken-dropped',
  'x-kilotoken-hold',
  'x-kilotoken-limit-warning',
  'x-ratelimit-limit-requests',
  'x-ratelimit-limit-tokens',
  'x-ratelimit-remaining-requests',
  'x-ratelimit-remaining-tokens',
  'x-ratelimit-reset-requests',
  'x-ratelimit-reset-tokens',
  'x-request-id',
  'x-should-retry',
  'x-trace-id',
] as const;

const exposed = exposedHeaders.join(', ');
/** Browsers ask again after two hours at most, whatever we say. */
const preflightSecondsMax = '7200';
/** Names of header fields with commas between them: SDKs send fields of their own, so whatever is asked for is allowed. */
const fieldNames = /^[\w!#$%&'*+.^`|~-]+(?: *, *[\w!#$%&'*+.^`|~-]+)*$/;
const fieldNamesLengthMax = 4_000;

const allowedOrigin = (origins: CorsOrigins, origin: string | undefined): string | null => {
  if (origin === undefined) return null;
  if (origins === '*') return '*';
  return origins.has(origin.toLowerCase()) ? origin : null;
};

const answerPreflight = ({ headers }: FastifyRequest, reply: FastifyReply): void => {
  const asked = headers['access-control-request-headers'];
  reply.header('access-control-allow-methods', 'GET, POST, HEAD');
  if (asked !== undefined && asked.length <= fieldNamesLengthMax && fieldNames.test(asked)) reply.header('access-control-allow-headers', asked);
  reply.header('access-control-max-age', preflightSecondsMax).code(204).send();
};

/**
 * Lets pages of these origins call the gateway. A preflight has no key and needs none: this hook stands before the one that
 * asks for it. Keys are sent by scripts, never by the browser itself, so credentials are not allowed.
 *
 * The fields are set on the response itself and not by Fastify, since answers of models are written past it.
 */
export const registerCors = (fastify: FastifyInstance, origins: CorsOrigins): void => {
  fastify.addHook('onRequest', (request, reply, done) => {
    const { origin } = request.headers;
    // Caches must not hand one origin's answer to another one.
    if (origins !== '*') reply.raw.setHeader('vary', 'origin');
    const allowed = allowedOrigin(origins, origin);
    const isPreflight = request.method === 'OPTIONS' && origin !== undefined && request.headers['access-control-request-method'] !== undefined;
    if (allowed !== null) {
      reply.raw.setHeader('access-control-allow-origin', allowed);
      if (!isPreflight) reply.raw.setHeader('access-control-expose-headers', exposed);
    }
    if (isPreflight && allowed !== null) answerPreflight(request, reply);
    else done();
  });
};
