import * as z from 'zod';

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

/** A schema as JSON Schema: `of` describes the schemas within. Asked for the OpenAPI document alone. */
export type JsonShape = (of: (schema: z.ZodType) => object) => object;

/** How schemas read that zod cannot describe, because they parse by code of their own. */
export const jsonShapes = new WeakMap<object, JsonShape>();

const shaped = <Schema extends z.ZodType>(schema: Schema, shape: JsonShape): Schema => {
  jsonShapes.set(schema, shape);
  return schema;
};

type Issues = z.core.$ZodRawIssue[];
type Bounds = { readonly min?: number; readonly max: number };

/** Runs a schema and adds its faults, if any, under the key at which the value stands. */
const parseAt = <T>(schema: z.ZodType<T>, value: unknown, issues: Issues, key?: string | number): T => {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  for (const issue of result.error.issues) {
    issues.push({ ...issue, path: key === undefined ? issue.path : [key, ...issue.path] } as z.core.$ZodRawIssue);
  }
  return z.NEVER;
};

const wrongType = (issues: Issues, expected: readonly JsonType[], input: unknown): never => {
  issues.push({ code: 'custom', params: { code: 'invalid_type', expected }, input });
  return z.NEVER;
};

/** A value whose JSON type chooses its schema; its faults are those of the chosen one. */
export const byType = <Schemas extends Partial<Record<JsonType, z.ZodType>>>(
  schemas: Schemas,
): z.ZodType<z.output<NonNullable<Schemas[keyof Schemas]>>> =>
  shaped(
    requiredUnknown.transform((value, context) => {
      const schema = schemas[jsonTypeOf(value)] as z.ZodType<never> | undefined;
      if (!schema) return wrongType(context.issues, Object.keys(schemas) as JsonType[], value);
      return parseAt(schema, value, context.issues);
    }),
    (of) => ({ anyOf: Object.values(schemas).map((schema) => of(schema as z.ZodType)) }),
  );

/** Any JSON value. Unlike `z.unknown()` it is not optional, so an absent parameter costs nothing. */
const requiredUnknown = z.custom<unknown>();

/**
 * An array whose length is checked before its items, and whose items are parsed up to the first wrong one. `isPlain` may
 * recognize the commonest form of an item, which is then taken as it is: it must accept nothing that the schema refuses
 * or changes.
 */
export const itemsOf = <T>(item: z.ZodType<T>, { min = 0, max }: Bounds, isPlain?: (value: unknown) => value is T): z.ZodType<T[]> =>
  shaped(
    requiredUnknown.transform((value, context) => {
      if (!Array.isArray(value)) return wrongType(context.issues, ['array'], value);
      if (value.length > max) {
        context.issues.push({ code: 'too_big', origin: 'array', maximum: max, inclusive: true, input: value });
        return z.NEVER;
      }
      if (value.length < min) {
        context.issues.push({ code: 'too_small', origin: 'array', minimum: min, inclusive: true, input: value });
        return z.NEVER;
      }
      const items: T[] = [];
      for (let index = 0; index < value.length && context.issues.length === 0; index++) {
        const candidate: unknown = value[index];
        items.push(isPlain?.(candidate) ? candidate : parseAt(item, candidate, context.issues, index));
      }
      return items;
    }),
    (of) => ({ type: 'array', items: of(item), minItems: min, maxItems: max }),
  );

/** An object of free keys: their number is checked before anything, each key and value up to the first wrong one. */
export const entriesOf = <T>(
  key: z.ZodType<string>,
  value: z.ZodType<T>,
  { max }: Bounds,
): z.ZodType<Record<string, T>> =>
  shaped(
    requiredUnknown.transform((object, context) => {
      if (jsonTypeOf(object) !== 'object') return wrongType(context.issues, ['object'], object);
      const names = Object.keys(object as object);
      if (names.length > max) {
        context.issues.push({ code: 'too_big', origin: 'object', maximum: max, inclusive: true, input: names });
        return z.NEVER;
      }
      const entries: [string, T][] = [];
      for (const name of names) {
        parseAt(key, name, context.issues, name);
        entries.push([name, parseAt(value, (object as Record<string, unknown>)[name], context.issues, name)]);
        if (context.issues.length > 0) break;
      }
      return Object.fromEntries(entries);
    }),
    (of) => ({ type: 'object', propertyNames: of(key), additionalProperties: of(value), maxProperties: max }),
  );

/** Marks the bounds of decimals, whose refusals have other codes than those of integers. */
export const decimalBound = 'decimal';

export const decimal = (min: number, max: number): z.ZodNumber => z.number().min(min, decimalBound).max(max, decimalBound);

/** A JSON object that is passed on whole, such as a JSON Schema: its size is bounded by the body's limit. */
export const freeObject = shaped(
  z.custom<Record<string, unknown>>((value) => jsonTypeOf(value) === 'object', {
    error: 'expected an object',
    params: { code: 'invalid_type', expected: ['object'] satisfies JsonType[] },
  }),
  () => ({ type: 'object' }),
);
