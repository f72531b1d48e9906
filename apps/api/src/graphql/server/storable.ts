import { GraphQLError, Kind, visit, type DocumentNode } from 'graphql';

/** Postgres stores every character of Unicode but this one, so it is refused before a statement could fail of it. */
const unstorable = '\u0000';

const holdsUnstorable = (value: unknown): boolean => {
  if (typeof value === 'string') return value.includes(unstorable);
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([name, inner]) => name.includes(unstorable) || holdsUnstorable(inner));
};

const writtenIn = (document: DocumentNode): boolean => {
  let found = false;
  visit(document, {
    [Kind.STRING]: ({ value }) => {
      found ||= value.includes(unstorable);
    },
  });
  return found;
};

/** Throws where a text of the operation or of its variables has a NUL. Bodies are bounded, so its depth and time are. */
export const refuseUnstorable = (document: DocumentNode, variables: Record<string, unknown>): void => {
  if (!holdsUnstorable(variables) && !writtenIn(document)) return;
  throw new GraphQLError('A text holds the character U+0000, which nothing here may hold. Remove it.', { extensions: { code: 'BAD_USER_INPUT', http: { status: 400 } } });
};
