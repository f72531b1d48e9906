import type { Db } from '@kilotoken/platform';
import type { Person } from './people.js';

const columns = `p.id, p.name, p.email, p.locale, p.two_factor_enabled AS "twoFactorEnabled", p.created_at AS "createdAt", p.disabled_at AS "disabledAt", p.erased_at AS "erasedAt"`;
export const personColumns = columns;

export const findPerson = async (db: Db, by: { id: string } | { email: string }): Promise<Person | null> => {
  const [condition, value] = 'id' in by ? ['p.id = $1', by.id] : ['p.email = $1 AND p.erased_at IS NULL', by.email];
  return (await db.query<Person>(`SELECT ${columns} FROM person p WHERE ${condition}`, [value])).rows[0] ?? null;
};

/** In the order of their ids. */
export const listPersonRows = async (db: Db, after: string | undefined, limit: number): Promise<(Person & { readonly roles: readonly string[] })[]> =>
  (
    await db.query<Person & { roles: string[] }>(
      `SELECT ${columns}, ARRAY(SELECT o.slug || ':' || m.role FROM membership m JOIN organization o ON o.id = m.organization_id WHERE m.person_id = p.id ORDER BY o.slug) AS roles
       FROM person p WHERE p.erased_at IS NULL AND ($1::uuid IS NULL OR p.id > $1) ORDER BY p.id LIMIT $2`,
      [after ?? null, limit],
    )
  ).rows;

export const insertPerson = async (db: Db, person: { id: string; name: string; email: string; locale: string; emailVerified: boolean }): Promise<Person> => {
  const { rows } = await db.query<Person>(
    `INSERT INTO person AS p (id, name, email, locale, email_verified) VALUES ($1, $2, $3, $4, $5) RETURNING ${columns}`,
    [person.id, person.name, person.email, person.locale, person.emailVerified],
  );
  return rows[0]!;
};

export const updateProfile = async (db: Db, id: string, name: string | undefined, locale: string | undefined): Promise<Person | null> => {
  const { rows } = await db.query<Person>(
    `UPDATE person AS p SET name = coalesce($2, name), locale = coalesce($3, locale), updated_at = kt_now() WHERE p.id = $1 AND p.erased_at IS NULL RETURNING ${columns}`,
    [id, name ?? null, locale ?? null],
  );
  return rows[0] ?? null;
};

export const setDisabled = async (db: Db, id: string, disabled: boolean): Promise<Person | null> => {
  const { rows } = await db.query<Person>(
    `UPDATE person AS p SET disabled_at = CASE WHEN $2 THEN coalesce(disabled_at, kt_now()) END, updated_at = kt_now() WHERE p.id = $1 AND p.erased_at IS NULL RETURNING ${columns}`,
    [id, disabled],
  );
  return rows[0] ?? null;
};

/** The password of a person, as better-auth keeps it. */
export const putPassword = async (db: Db, id: string, personId: string, hash: string): Promise<void> => {
  await db.query(
    `INSERT INTO credential (id, person_id, provider_id, account_id, password) VALUES ($1, $2, 'credential', $2::uuid::text, $3)
     ON CONFLICT (provider_id, account_id) DO UPDATE SET password = excluded.password, updated_at = kt_now()`,
    [id, personId, hash],
  );
};

export const findPassword = async (db: Db, personId: string): Promise<string | null> =>
  (await db.query<{ password: string | null }>("SELECT password FROM credential WHERE provider_id = 'credential' AND account_id = $1", [personId])).rows[0]?.password ?? null;

/** Answers whether there was somebody to erase. */
export const erase = async (db: Db, id: string): Promise<boolean> => (await db.query<{ erased: boolean }>('SELECT person_erase($1) AS erased', [id])).rows[0]!.erased;
