import type * as z from 'zod';
import { ContractError, type ErrorCode } from './error-catalogue.js';
import { decimalBound, type JsonType, jsonTypeOf } from './schema-parts.js';

/** Parses or throws a `ContractError` worded as OpenAI words it, with the path of the parameter that is wrong. */
export const parseOrRefuse = <T>(schema: z.ZodType<T>, body: unknown): T => {
  const result = schema.safeParse(body, { reportInput: true });
  if (result.success) return result.data;
  throw refusalOf(result.error.issues[0]!);
};

/** A fault between parameters that are each well formed: for use inside a schema's `check`. */
export const faultAt = (code: ErrorCode, path: (string | number)[], message: string): z.core.$ZodRawIssue => ({
  code: 'custom',
  path,
  message,
  params: { code },
  input: undefined,
});

/** Values from the body are quoted only where they are this short: they help the caller and are no prompt. */
const quotedLengthMax = 64;
const paramLengthMax = 200;

const typeNames: Record<JsonType, string> = {
  string: 'a string',
  number: 'a number',
  boolean: 'a boolean',
  object: 'an object',
  array: 'an array',
  null: 'null',
  undefined: 'nothing',
};

const codes = {
  integer: { above: 'integer_above_max_value', below: 'integer_below_min_value' },
  decimal: { above: 'decimal_above_max_value', below: 'decimal_below_min_value' },
} as const;

const refusalOf = (issue: z.core.$ZodIssue): ContractError => {
  const param = paramOf(issue.path);
  const input = issue.input;
  switch (issue.code) {
    case 'invalid_type':
      return typeRefusal(param, [issue.expected === 'int' ? 'an integer' : nameOf(issue.expected)], input);
    case 'unrecognized_keys': {
      const unknown = paramOf([...issue.path, issue.keys[0]!]);
      return new ContractError('unknown_parameter', `Unknown parameter: '${unknown}'.`, unknown);
    }
    case 'invalid_value':
      return valueRefusal(param, input, issue.values);
    case 'invalid_union': {
      // Only discriminated unions are used; their path ends with the discriminator, and their input is the object.
      const key = issue.path.at(-1) as string;
      const value = jsonTypeOf(input) === 'object' ? (input as Record<string, unknown>)[key] : undefined;
      return valueRefusal(param, value, 'options' in issue ? (issue.options as readonly unknown[]) : []);
    }
    case 'too_big':
    case 'too_small':
      return sizeRefusal(param, issue);
    case 'custom': {
      const details = issue.params as { code?: ErrorCode; expected?: readonly JsonType[] } | undefined;
      if (details?.expected) return typeRefusal(param, details.expected.map(nameOf), input);
      return new ContractError(details?.code ?? 'invalid_value', issue.message, param || null);
    }
    default:
      return new ContractError('invalid_value', `Invalid value for '${param}': ${quoted(input)} has the wrong format.`, param || null);
  }
};

const nameOf = (type: string): string => typeNames[type as JsonType] ?? type;

const typeRefusal = (param: string, expected: readonly string[], input: unknown): ContractError => {
  if (input === undefined) return new ContractError('missing_required_parameter', `Missing required parameter: '${param}'.`, param);
  const place = param === '' ? 'Invalid type for the body' : `Invalid type for '${param}'`;
  const got = typeof input === 'number' ? `the number ${input}` : typeNames[jsonTypeOf(input)];
  return new ContractError('invalid_type', `${place}: expected ${expected.join(' or ')}, but got ${got} instead.`, param || null);
};

const valueRefusal = (param: string, input: unknown, supported: readonly unknown[]): ContractError => {
  if (input === undefined) return typeRefusal(param, [], input);
  const values = supported.map((value) => `'${String(value)}'`).join(', ');
  return new ContractError('invalid_value', `Invalid value for '${param}': ${quoted(input)}. Supported values are: ${values}.`, param);
};

const sizeRefusal = (param: string, issue: z.core.$ZodIssueTooBig | z.core.$ZodIssueTooSmall): ContractError => {
  const isAbove = issue.code === 'too_big';
  const limit = isAbove ? issue.maximum : issue.minimum;
  const { input } = issue;
  const length = typeof input === 'string' || Array.isArray(input) ? input.length : 0;
  const bound = isAbove ? `at most ${limit}` : `at least ${limit}`;
  switch (issue.origin) {
    case 'string': {
      const code = isAbove ? 'string_above_max_length' : 'string_below_min_length';
      return new ContractError(code, `Invalid '${param}': expected a string of ${bound} characters, but got one of ${length}.`, param);
    }
    case 'array': {
      const code = isAbove ? 'array_above_max_length' : 'empty_array';
      return new ContractError(code, `Invalid '${param}': expected an array of ${bound} items, but got one of ${length}.`, param);
    }
    case 'object':
      return new ContractError('object_above_max_properties', `Invalid '${param}': expected ${bound} entries, but got ${length}.`, param);
    default: {
      const kind = issue.message === decimalBound ? 'decimal' : 'integer';
      const code = codes[kind][isAbove ? 'above' : 'below'];
      return new ContractError(code, `Invalid '${param}': expected a number of ${bound}, but got ${String(input)} instead.`, param);
    }
  }
};

/** `['messages', 0, 'content']` → `messages[0].content`, as OpenAI writes it. */
const paramOf = (path: readonly PropertyKey[]): string =>
  path
    .reduce<string>((text, key) => (typeof key === 'number' ? `${text}[${key}]` : text === '' ? String(key) : `${text}.${String(key)}`), '')
    .slice(0, paramLengthMax);

const quoted = (value: unknown): string => {
  if (typeof value === 'string' && value.length <= quotedLengthMax) return `'${value}'`;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : typeNames[jsonTypeOf(value)];
};
