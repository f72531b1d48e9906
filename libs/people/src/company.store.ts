import type { Db } from '@kilotoken/platform';

/** Null where the session does not see it, too: an operator's sees all organizations. */
export const findCompany = async (db: Db): Promise<string | null> => (await db.query<{ id: string }>("SELECT id FROM organization WHERE kind = 'company'")).rows[0]?.id ?? null;

/** It buys nothing, so any price book does. Throws where there is none. */
export const insertCompany = async (db: Db, id: string, name: string): Promise<string> => {
  const { rows } = await db.query<{ id: string }>(
    `INSERT INTO organization (id, name, slug, account_root_id, price_book_id, kind) SELECT $1, $2, 'company', $1, b.id, 'company' FROM price_book b ORDER BY b.name = 'list' DESC, b.id LIMIT 1
     RETURNING id`,
    [id, name],
  );
  if (!rows[0]) throw new Error('there is no price book yet');
  return rows[0].id;
};
