import type { Role } from '@kilotoken/access';
import type { Db } from '@kilotoken/platform';
import type { Member } from './people.js';
import { personColumns } from './person.store.js';

const columns = `${personColumns}, m.organization_id AS "organizationId", m.role, m.created_at AS "joinedAt"`;

/** In the order of their ids. */
export const listMemberRows = async (db: Db, organizationId: string, after: string | undefined, limit: number): Promise<Member[]> =>
  (
    await db.query<Member>(
      `SELECT ${columns} FROM membership m JOIN person p ON p.id = m.person_id WHERE m.organization_id = $1 AND ($2::uuid IS NULL OR m.person_id > $2) ORDER BY m.person_id LIMIT $3`,
      [organizationId, after ?? null, limit],
    )
  ).rows;

export const findMember = async (db: Db, organizationId: string, personId: string): Promise<Member | null> =>
  (await db.query<Member>(`SELECT ${columns} FROM membership m JOIN person p ON p.id = m.person_id WHERE m.organization_id = $1 AND m.person_id = $2`, [organizationId, personId])).rows[0] ?? null;

export const isMember = async (db: Db, organizationId: string, email: string): Promise<boolean> =>
  ((await db.query('SELECT FROM membership m JOIN person p ON p.id = m.person_id WHERE m.organization_id = $1 AND p.email = $2', [organizationId, email])).rowCount ?? 0) > 0;

/** Makes somebody a member, or gives a member another role. */
export const putMember = async (db: Db, organizationId: string, personId: string, role: Role): Promise<void> => {
  await db.query('INSERT INTO membership (organization_id, person_id, role) VALUES ($1, $2, $3) ON CONFLICT (organization_id, person_id) DO UPDATE SET role = excluded.role', [organizationId, personId, role]);
};

export const updateRole = async (db: Db, organizationId: string, personId: string, role: Role): Promise<boolean> =>
  (await db.query('UPDATE membership SET role = $3 WHERE organization_id = $1 AND person_id = $2', [organizationId, personId, role])).rowCount === 1;

export const deleteMember = async (db: Db, organizationId: string, personId: string): Promise<boolean> =>
  (await db.query('DELETE FROM membership WHERE organization_id = $1 AND person_id = $2', [organizationId, personId])).rowCount === 1;
