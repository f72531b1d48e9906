import type * as z from 'zod';
import { isEmpty, jsonTypeOf, parserOf } from './schema-parts.js';
import { parseOrRefuse } from './schema-refusal.js';

/** A request without its nulls: null and absent mean the same, so that what reads a request asks one question only. */
export type WithoutNulls<T> = { [K in keyof T]: Exclude<T[K], null> };

/** Without the parameters that are never passed on, whose names alone are kept. */
export type Parsed<Parameters, Withheld extends string> = WithoutNulls<Omit<Parameters, Withheld>> & { withheld?: string[] };

type Contradiction<Parameters> = (payload: z.core.ParsePayload<Parameters>) => void;

/** The rules of a request beyond the schemas of its parameters. */
interface RequestRules<Parameters, Withheld extends string> {
  readonly contradictions: readonly Contradiction<Parameters>[];
  /** Parameters of which only the names are kept, where they ask for anything. */
  readonly withheld: readonly Withheld[];
  readonly finish: (request: Parsed<Parameters, Withheld>) => void;
}

/**
 * A function that reads the body of a request, or throws a `ContractError` that names the first parameter that is wrong.
 * Of some two hundred parameters a body has four, and a strict object tries them all: so each that is there is parsed by its
 * own schema, compiled. The schema of the whole body is for those that this does not accept, and says why.
 */
export const requestParser = <Schema extends z.ZodObject, Withheld extends string>(
  schema: Schema,
  rules: RequestRules<z.output<Schema>, Withheld>,
): ((body: unknown) => Parsed<z.output<Schema>, Withheld>) => {
  type Request = Parsed<z.output<Schema>, Withheld>;
  const shape: Readonly<Record<string, z.ZodType>> = schema.shape;
  const parameters = new Map(Object.entries(shape).map(([name, parameter]) => [name, parserOf(parameter)]));
  const required = Object.keys(shape).filter((name) => !shape[name]!.safeParse(undefined).success);
  const withheld: ReadonlySet<string> = new Set(rules.withheld);

  const accept = (body: object): Request | null => {
    const request: Record<string, unknown> = {};
    const names: string[] = [];
    const issues: z.core.$ZodRawIssue[] = [];
    for (const name in body) {
      const parse = parameters.get(name);
      if (!parse) return null;
      const given = (body as Record<string, unknown>)[name];
      if (withheld.has(name)) {
        if (given !== false && !isEmpty(given)) names.push(name);
        continue;
      }
      const value = parse(given, issues);
      if (issues.length > 0) return null;
      if (value != null) request[name] = value;
    }
    if (!required.every((name) => name in request)) return null;
    for (const refuse of rules.contradictions) refuse({ value: request as z.output<Schema>, issues });
    if (issues.length > 0) return null;
    if (names.length > 0) request['withheld'] = names;
    rules.finish(request as Request);
    return request as Request;
  };

  return (body) => {
    const request = jsonTypeOf(body) === 'object' ? accept(body as object) : null;
    if (request) return request;
    parseOrRefuse(schema, body);
    // The two disagree only if one of them is wrong: do not hide that.
    throw new Error('a request was refused that its schema accepts');
  };
};
