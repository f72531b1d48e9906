import type { ScopeSql } from './scope.js';

interface Comparison {
  /** Sums of the rows `r` of a grant, by name. */
  readonly sums: string;
  /** SQL over the grant `g` and its sums `x`, which are null where it has no row. */
  readonly expected: string;
  readonly found: string;
  readonly isWrong: string;
}

/** Compares every grant with the sums of its rows in another table. */
export const besideItsRows = (s: ScopeSql, table: string, { sums, expected, found, isWrong }: Comparison): string => `
  WITH x AS (SELECT r.organization_id, r.grant_id, ${sums} FROM ${table} r WHERE true${s.organization('r.organization_id')} GROUP BY 1, 2)
  SELECT g.organization_id, jsonb_build_object('grant', g.id, 'unit', g.unit) AS place, ${expected} AS expected, ${found} AS found, ${isWrong} AS is_wrong
  FROM credit_grant g LEFT JOIN x ON x.organization_id = g.organization_id AND x.grant_id = g.id
  WHERE true${s.organization('g.organization_id')}`;
