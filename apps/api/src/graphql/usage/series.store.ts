import type { Db } from '@kilotoken/platform';
import { rowsByKey } from '../shapes/grouping.js';

export interface NamesRow {
  readonly organizationId: string;
  readonly kind: 'model' | 'tag' | 'unit';
  readonly name: string;
}

/** Names that the last 90 days of each organization have seen; of tags those that have sums of their own. */
export const listUsedNames = async (db: Db, organizationIds: readonly string[]): Promise<NamesRow[][]> => {
  const { rows } = await db.query<NamesRow>(
    `WITH used AS (
       SELECT organization_id, model, unit FROM usage_rollup
       WHERE organization_id = ANY ($1::uuid[]) AND grain_minutes = 1440 AND tag_key = '' AND starts_at > kt_now() - interval '90 days')
     SELECT DISTINCT organization_id AS "organizationId", 'model' AS kind, model AS name FROM used
     UNION SELECT organization_id, 'unit', unit FROM used
     UNION SELECT organization_id, 'tag', tag_key FROM rollup_tag WHERE organization_id = ANY ($1::uuid[]) AND day > kt_now() - interval '90 days'
     ORDER BY name`,
    [organizationIds],
  );
  return rowsByKey(organizationIds, rows, ({ organizationId }) => organizationId);
};

/** Names of projects or keys by their ids. */
export const listLabels = async (db: Db, organizationId: string, table: 'project' | 'api_key', ids: readonly string[]): Promise<Map<string, string>> => {
  const { rows } = await db.query<{ id: string; name: string }>(`SELECT id, name FROM ${table} WHERE organization_id = $1 AND id = ANY ($2::uuid[])`, [organizationId, ids]);
  return new Map(rows.map(({ id, name }) => [id, name]));
};
