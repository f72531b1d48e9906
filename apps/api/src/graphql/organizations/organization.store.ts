import type { Db } from '@kilotoken/platform';
import type { Page } from '../shapes/connection.js';
import { rowByKey, rowsByKey } from '../shapes/grouping.js';
import type { OrganizationRow } from './organization.type.js';

const columns = 'o.id, o.slug, o.name, o.kind, o.status, o.time_zone AS "timeZone", o.parent_id AS "parentId", o.created_at AS "createdAt"';

export const findOrganizationsById = async (db: Db, ids: readonly string[]): Promise<(OrganizationRow | null)[]> => {
  const { rows } = await db.query<OrganizationRow>(`SELECT ${columns} FROM organization o WHERE o.id = ANY ($1::uuid[])`, [ids]);
  return rowByKey(ids, rows, ({ id }) => id);
};

export const findOrganizationsBySlug = async (db: Db, slugs: readonly string[]): Promise<(OrganizationRow | null)[]> => {
  const { rows } = await db.query<OrganizationRow>(`SELECT ${columns} FROM organization o WHERE o.slug = ANY ($1::text[])`, [slugs]);
  return rowByKey(slugs, rows, ({ slug }) => slug);
};

/** The children of each, in the order of their slugs. */
export const listChildren = async (db: Db, parentIds: readonly string[], { first, after }: Page): Promise<OrganizationRow[][]> => {
  const { rows } = await db.query<OrganizationRow>(
    `SELECT o.* FROM unnest($1::uuid[]) p(id) CROSS JOIN LATERAL (
       SELECT ${columns} FROM organization o WHERE o.parent_id = p.id AND ($2::text IS NULL OR o.slug > $2) ORDER BY o.slug LIMIT $3) o`,
    [parentIds, after?.[0] ?? null, first + 1],
  );
  return rowsByKey(parentIds, rows, ({ parentId }) => parentId!);
};

/** Customers in the order of their slugs; with a search, those whose slug or name holds it. */
export const listCustomers = async (db: Db, { first, after }: Page, search: string | null): Promise<OrganizationRow[]> => {
  const { rows } = await db.query<OrganizationRow>(
    `SELECT ${columns} FROM organization o
     WHERE o.kind = 'customer' AND ($1::text IS NULL OR o.slug > $1) AND ($2::text IS NULL OR strpos(lower(o.slug), lower($2)) > 0 OR strpos(lower(o.name), lower($2)) > 0)
     ORDER BY o.slug LIMIT $3`,
    [after?.[0] ?? null, search, first + 1],
  );
  return rows;
};
