import * as z from 'zod';
import type { ErrorCode } from './error-catalogue.js';

/**
 * Schemas that stop at the first fault. Zod reports every fault of a value, so a body of 20 MB whose ten million items
 * are all wrong would cost gigabytes of issues; these check the size first and parse item by item until one is wrong.
 */
export type JsonType = 'string' | 'number' | 'boolean' | 'object' | 'array' | 'null' | 'undefined';

export const jsonTypeOf = (value: unknown): JsonType => {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value as JsonType;
};

/** Whether a value asks for nothing. */
export const isEmpty = (value: unknown): boolean =>
  value == null || value === '' || (typeof value === 'object' && Object.keys(value).length === 0);

/** A schema as JSON Schema: `of` describes the schemas within. Asked for the OpenAPI document alone. */
export type JsonShape = (of: (schema: z.ZodType) => object) => object;

/** How schemas read that zod cannot describe, because they parse by code of their own. */
export const jsonShapes = new WeakMap<object, JsonShape>();

type Issues = z.core.$ZodRawIssue[];
type Bounds = { readonly min?: number; readonly max: number };

/** Parses a value; its faults are added to the issues. */
type Parse<T> = (value: unknown, issues: Issues) => T;

/** The code of such schemas, which one around them calls without zod in between. */
const parsers = new WeakMap<object, Parse<unknown>>();

/** Any JSON value. Unlike `z.unknown()` it is not optional, so an absent parameter costs nothing. */
const requiredUnknown = z.custom<unknown>();

const shaped = <T>(parse: Parse<T>, shape: JsonShape): z.ZodType<T> => {
  const schema = requiredUnknown.transform((value, { issues }) => parse(value, issues));
  parsers.set(schema, parse);
  jsonShapes.set(schema, shape);
  return schema;
};

/**
 * A schema's parse, compiled when it is first asked for: the code that zod makes only accepts, and leaves a value that it
 * does not accept to the schema itself.
 */
export const parserOf = <T>(schema: z.ZodType<T>): Parse<T> => {
  const own = parsers.get(schema) as Parse<T> | undefined;
  if (own) return own;
  let compiled: z.ZodType<T> | undefined;
  return (value, issues) => {
    compiled ??= z.compile(schema);
    const result = compiled.safeParse(value, { reportInput: true });
    if (result.success) return result.data;
    issues.push(...(result.error.issues as Issues));
    return z.NEVER;
  };
};

/** Parses what stands under a key, and puts the key before the path of its faults. */
const parseUnder = <T>(key: string | number, parse: Parse<T>, value: unknown, issues: Issues): T => {
  const known = issues.length;
  const parsed = parse(value, issues);
  for (let index = known; index < issues.length; index++) {
    const issue = issues[index]!;
    issues[index] = { ...issue, path: [key, ...(issue.path ?? [])] };
  }
  return parsed;
};

const wrongType = (issues: Issues, expected: readonly JsonType[], input: unknown): never => {
  issues.push({ code: 'custom', params: { code: 'invalid_type', expected }, input });
  return z.NEVER;
};

/** A value whose JSON type chooses its schema; its faults are those of the chosen one. */
export const byType = <Schemas extends Partial<Record<JsonType, z.ZodType>>>(
  schemas: Schemas,
): z.ZodType<z.output<NonNullable<Schemas[keyof Schemas]>>> => {
  const types = Object.keys(schemas) as JsonType[];
  const parses = new Map(types.map((type) => [type, parserOf(schemas[type] as z.ZodType<never>)]));
  return shaped(
    (value, issues) => {
      const parse = parses.get(jsonTypeOf(value));
      return parse ? parse(value, issues) : wrongType(issues, types, value);
    },
    (of) => ({ anyOf: Object.values(schemas).map((schema) => of(schema as z.ZodType)) }),
  );
};

/** An object whose schema is chosen by what `pick` sees in it. */
export const oneOf = <Schemas extends Record<string, z.ZodType>>(
  pick: (value: Readonly<Record<string, unknown>>) => keyof Schemas,
  schemas: Schemas,
): z.ZodType<z.output<Schemas[keyof Schemas]>> => {
  const parses = new Map(Object.entries(schemas).map(([name, schema]) => [name, parserOf(schema as z.ZodType<never>)]));
  return shaped(
    (value, issues) => {
      if (jsonTypeOf(value) !== 'object') return wrongType(issues, ['object'], value);
      return parses.get(pick(value as Record<string, unknown>) as string)!(value, issues);
    },
    (of) => ({ anyOf: Object.values(schemas).map((schema) => of(schema)) }),
  );
};

/**
 * An array whose length is checked before its items, and whose items are parsed up to the first wrong one. `isPlain` may
 * recognize the commonest form of an item, which is then taken as it is: it must accept nothing that the schema refuses
 * or changes.
 */
export const itemsOf = <T>(item: z.ZodType<T>, { min = 0, max }: Bounds, isPlain?: (value: unknown) => value is T): z.ZodType<T[]> => {
  const parseItem = parserOf(item);
  const parse: Parse<T[]> = (value, issues) => {
    if (!Array.isArray(value)) return wrongType(issues, ['array'], value);
    if (value.length > max) {
      issues.push({ code: 'too_big', origin: 'array', maximum: max, inclusive: true, input: value });
      return z.NEVER;
    }
    if (value.length < min) {
      issues.push({ code: 'too_small', origin: 'array', minimum: min, inclusive: true, input: value });
      return z.NEVER;
    }
    const items: T[] = [];
    for (let index = 0; index < value.length && issues.length === 0; index++) {
      const candidate: unknown = value[index];
      items.push(isPlain?.(candidate) ? candidate : parseUnder(index, parseItem, candidate, issues));
    }
    return items;
  };
  return shaped(parse, (of) => ({ type: 'array', items: of(item), minItems: min, maxItems: max }));
};

/** A schema's output, changed by `map`, which gets only accepted values. */
export const mapped = <T, U>(schema: z.ZodType<T>, map: (value: T) => U): z.ZodType<U> => {
  const parse = parserOf(schema);
  return shaped(
    (value, issues) => {
      const known = issues.length;
      const parsed = parse(value, issues);
      return issues.length > known ? z.NEVER : map(parsed);
    },
    (of) => of(schema),
  );
};

/** A text that is passed on in the form that `read` gives it; null refuses it. */
export const textReadBy = (read: (text: string) => string | null, refusal: { readonly code: ErrorCode; readonly message: string }): z.ZodType<string> =>
  shaped(
    (value, issues) => {
      if (typeof value !== 'string') return wrongType(issues, ['string'], value);
      const text = read(value);
      if (text !== null) return text;
      issues.push({ code: 'custom', message: refusal.message, params: { code: refusal.code }, input: value });
      return z.NEVER;
    },
    () => ({ type: 'string' }),
  );

/** Any value, or none. */
export const anything = z.unknown().optional();
jsonShapes.set(anything, () => ({ description: 'Accepted, whatever its value.' }));

/** An object of free keys: their number is checked before anything, each key and value up to the first wrong one. */
export const entriesOf = <T>(
  key: z.ZodType<string>,
  value: z.ZodType<T>,
  { max }: Bounds,
): z.ZodType<Record<string, T>> => {
  const [parseKey, parseValue] = [parserOf(key), parserOf(value)];
  const parse: Parse<Record<string, T>> = (object, issues) => {
    if (jsonTypeOf(object) !== 'object') return wrongType(issues, ['object'], object);
    const names = Object.keys(object as object);
    if (names.length > max) {
      issues.push({ code: 'too_big', origin: 'object', maximum: max, inclusive: true, input: names });
      return z.NEVER;
    }
    const entries: [string, T][] = [];
    for (const name of names) {
      parseUnder(name, parseKey, name, issues);
      entries.push([name, parseUnder(name, parseValue, (object as Record<string, unknown>)[name], issues)]);
      if (issues.length > 0) break;
    }
    return Object.fromEntries(entries);
  };
  return shaped(parse, (of) => ({
    type: 'object',
    propertyNames: of(key),
    additionalProperties: of(value),
    maxProperties: max,
  }));
};

/** Marks the bounds of decimals, whose refusals have other codes than those of integers. */
export const decimalBound = 'decimal';

export const decimal = (min: number, max: number): z.ZodNumber => z.number().min(min, decimalBound).max(max, decimalBound);

/** A JSON object that is passed on whole, such as a JSON Schema: its size is bounded by the body's limit. */
export const freeObject = z.custom<Record<string, unknown>>((value) => jsonTypeOf(value) === 'object', {
  error: 'expected an object',
  params: { code: 'invalid_type', expected: ['object'] satisfies JsonType[] },
});
jsonShapes.set(freeObject, () => ({ type: 'object' }));
