import { AppError, toHttpError } from '@kilotoken/platform';
import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import type { Logger } from 'pino';

/** The codes of our kinds as `extensions.code`. */
const codeOfKind: Readonly<Record<AppError['kind'], string>> = {
  invalid: 'BAD_USER_INPUT',
  unauthenticated: 'UNAUTHENTICATED',
  forbidden: 'FORBIDDEN',
  not_found: 'NOT_FOUND',
  conflict: 'CONFLICT',
  exhausted: 'TOO_MANY_REQUESTS',
  unavailable: 'UNAVAILABLE',
  bug: 'INTERNAL_SERVER_ERROR',
};

/** The cause at the bottom: GraphQL and Nest each wrap what a resolver throws. */
const causeOf = (error: unknown): unknown => (error instanceof GraphQLError && error.originalError ? causeOf(error.originalError) : error);

/**
 * The part of an error that its caller is told. A refusal of ours says its public message; a refusal of GraphQL says its own, which names only what the
 * caller wrote; anything else is our fault and says nothing of itself.
 */
export const createErrorFormatter =
  (logger: Logger) =>
  (formatted: GraphQLFormattedError, error: unknown): GraphQLFormattedError => {
    const cause = causeOf(error);
    const where = { ...(formatted.locations ? { locations: formatted.locations } : {}), ...(formatted.path ? { path: formatted.path } : {}) };
    if (cause instanceof AppError && cause.kind !== 'bug') {
      const { permission } = cause.values;
      return { ...where, message: cause.publicMessage, extensions: { code: codeOfKind[cause.kind], reason: cause.code, ...(typeof permission === 'string' ? { permission } : {}) } };
    }
    const code = formatted.extensions?.['code'];
    if (cause instanceof GraphQLError && code !== 'INTERNAL_SERVER_ERROR') return { ...where, message: formatted.message, extensions: { code } };
    logger.error({ event: 'graphql.failed', path: formatted.path, error: cause });
    return { ...where, message: toHttpError(cause).publicMessage, extensions: { code: 'INTERNAL_SERVER_ERROR' } };
  };
