import { GraphQLError, GraphQLScalarType, Kind, valueFromASTUntyped } from 'graphql';
import { z } from 'zod';

const refuse = (message: string): never => {
  throw new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT' } });
};

const momentSchema = z.iso.datetime({ offset: true });
const momentNeeded = 'a moment such as 2027-01-31T18:00:00Z is needed';

const readMoment = (value: unknown): Date => {
  const text = typeof value === 'string' && value.length <= 40 && momentSchema.safeParse(value).success ? value : refuse(momentNeeded);
  const moment = new Date(text);
  const year = moment.getUTCFullYear();
  return Number.isNaN(moment.getTime()) || year < 1970 || year > 9_999 ? refuse(momentNeeded) : moment;
};

export const DateTime = new GraphQLScalarType<Date, string>({
  name: 'DateTime',
  description: 'A moment in UTC as ISO 8601 writes it: `2027-01-31T18:00:00.000Z`. Input may have any offset.',
  serialize: (value) => (value instanceof Date ? value.toISOString() : new Date(String(value)).toISOString()),
  parseValue: readMoment,
  parseLiteral: (node) => (node.kind === Kind.STRING ? readMoment(node.value) : refuse(momentNeeded)),
});

const decimalPattern = /^-?\d{1,26}(\.\d{1,12})?$/;
const decimalNeeded = 'an exact decimal string such as "10.25" is needed, with at most 26 digits before and 12 after the point';
const readDecimal = (value: unknown): string => (typeof value === 'string' && decimalPattern.test(value) ? value : refuse(decimalNeeded));

export const Decimal = new GraphQLScalarType<string, string>({
  name: 'Decimal',
  description: 'An exact decimal as a string, at most 26 digits before and 12 after the point: money, and counts that may exceed 2^53. Never read it into a binary fraction.',
  serialize: (value) => (typeof value === 'bigint' ? value.toString() : readDecimal(value)),
  parseValue: readDecimal,
  parseLiteral: (node) => (node.kind === Kind.STRING ? readDecimal(node.value) : refuse(decimalNeeded)),
});

export const JsonObject = new GraphQLScalarType<unknown, unknown>({
  name: 'JSON',
  description: 'Any JSON value. It is only answered, never taken.',
  serialize: (value) => value,
  parseValue: () => refuse('JSON is not taken as input'),
  parseLiteral: (node) => (valueFromASTUntyped(node) === null ? null : refuse('JSON is not taken as input')),
});
