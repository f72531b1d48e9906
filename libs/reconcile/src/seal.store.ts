import type { Partition } from '@kilotoken/usage/partitions';
import type pg from 'pg';
import { scopeParameters, scopeSql } from './scope.js';
import { detachedSealsSql } from './seal-checks.js';

const namedMax = 20;

/** Proves a detached partition by its seals before both leave. Answers the rows and requests that are not as they were, the first ones. */
export const findUnsealed = async (db: pg.PoolClient, { name, from, until }: Pick<Partition, 'name' | 'from' | 'until'>): Promise<string[]> => {
  const s = scopeSql({ organizationId: null, from, to: until }, { takenAt: until, ratedFrom: null, logsReadFrom: null });
  const found: string[] = [];
  for (const sql of detachedSealsSql(s, `public.${db.escapeIdentifier(name)}`)) {
    const { rows } = await db.query<{ row: string }>(
      `WITH ${scopeParameters}, judged AS (${sql}) SELECT format('organization %s, %s: expected %s, found %s', organization_id, place, expected, found) AS row FROM judged WHERE is_wrong LIMIT ${namedMax}`,
      [...s.values],
    );
    found.push(...rows.map(({ row }) => row));
  }
  return found;
};
