import type * as z from 'zod';
import { jsonTypeOf, parserOf } from './schema-parts.js';
import { parseOrRefuse } from './schema-refusal.js';

/** A request without its nulls: null and absent mean the same, so that what reads a request asks one question only. */
export type WithoutNulls<T> = { [K in keyof T]: Exclude<T[K], null> };

type Contradiction<Parameters> = (payload: z.core.ParsePayload<Parameters>) => void;

/**
 * A function that reads the body of a request, or throws a `ContractError` that names the first parameter that is wrong.
 * Of some forty parameters a body has four, and a strict object tries them all: so each that is there is parsed by its own
 * schema, compiled. The schema of the whole body is for those that this does not accept, and says why.
 */
export const requestParser = <Schema extends z.ZodObject>(
  schema: Schema,
  contradictions: readonly Contradiction<z.output<Schema>>[],
): ((body: unknown) => WithoutNulls<z.output<Schema>>) => {
  type Request = WithoutNulls<z.output<Schema>>;
  const shape: Readonly<Record<string, z.ZodType>> = schema.shape;
  const parameters = new Map(Object.entries(shape).map(([name, parameter]) => [name, parserOf(parameter)]));
  const required = Object.keys(shape).filter((name) => !shape[name]!.safeParse(undefined).success);

  const accept = (body: object): Request | null => {
    const request: Record<string, unknown> = {};
    const issues: z.core.$ZodRawIssue[] = [];
    for (const name in body) {
      const parse = parameters.get(name);
      if (!parse) return null;
      const value = parse((body as Record<string, unknown>)[name], issues);
      if (issues.length > 0) return null;
      if (value != null) request[name] = value;
    }
    if (!required.every((name) => name in request)) return null;
    for (const refuse of contradictions) refuse({ value: request as z.output<Schema>, issues });
    return issues.length === 0 ? (request as Request) : null;
  };

  return (body) => {
    const request = jsonTypeOf(body) === 'object' ? accept(body as object) : null;
    if (request) return request;
    parseOrRefuse(schema, body);
    // The two disagree only if one of them is wrong: do not hide that.
    throw new Error('a request was refused that its schema accepts');
  };
};
