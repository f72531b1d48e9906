import { createHash } from 'node:crypto';
import type { Db } from '@kilotoken/platform';
import type pg from 'pg';

/** Texts come from the code, with some variants each. More than this were a mistake, and are not prepared. */
const textsMax = 500;
const names = new Map<string, string>();

const nameOf = (text: string): string | undefined => {
  const known = names.get(text);
  if (known !== undefined || names.size >= textsMax) return known;
  const name = `api_${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
  names.set(text, name);
  return name;
};

/**
 * A connection that prepares each text once and keeps it: parsing and planning cost more than most reads do. A query that is given as an object stays as it is: for
 * reads whose plan must fit their values, such as the size of an organization.
 */
export const preparing = (client: pg.PoolClient): Db =>
  new Proxy(client, {
    get: (target, property) => {
      if (property !== 'query') return Reflect.get(target, property, target) as unknown;
      return (query: string | pg.QueryConfig, values?: unknown[]): unknown => {
        const name = typeof query === 'string' ? nameOf(query) : undefined;
        return name === undefined ? target.query(query as string, values) : target.query({ name, text: query as string, values: values ?? [] });
      };
    },
  });
