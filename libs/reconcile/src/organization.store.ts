import { AppError, type Db } from '@kilotoken/platform';

/** The id of a slug. Throws an AppError `organization_not_found`. */
export const findOrganization = async (db: Db, slug: string): Promise<string> => {
  const { rows } = await db.query<{ id: string }>('SELECT id FROM organization WHERE slug = $1', [slug]);
  if (rows[0]) return rows[0].id;
  throw new AppError({ code: 'organization_not_found', kind: 'not_found', publicMessage: `There is no organization ${JSON.stringify(slug)}.` });
};
