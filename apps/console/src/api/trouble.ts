import { CombinedGraphQLErrors, ServerError } from '@apollo/client/errors';

/** Why an operation has no result, as far as a reader can do something about it; the messages `trouble.*` say so. */
export type Trouble = 'unreachable' | 'forbidden' | 'limited' | 'failed';

export const troubleOf = (error: unknown): Trouble => {
  const code = CombinedGraphQLErrors.is(error) ? error.errors[0]?.extensions?.['code'] : undefined;
  if (code === 'FORBIDDEN' || code === 'NOT_FOUND') return 'forbidden';
  if (code === 'TOO_MANY_REQUESTS' || (ServerError.is(error) && error.statusCode === 429)) return 'limited';
  return error instanceof TypeError ? 'unreachable' : 'failed';
};

/** The api has answered, though with no result. */
export const isAnswered = (error: unknown): boolean => CombinedGraphQLErrors.is(error);
