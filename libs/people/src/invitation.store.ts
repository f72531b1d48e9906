import type { Role } from '@kilotoken/access';
import type { Db } from '@kilotoken/platform';
import type { Invitation } from './people.js';

const columns = `organization_id AS "organizationId", id, email, role, invited_by AS "invitedBy", created_at AS "createdAt", expires_at AS "expiresAt",
  CASE WHEN accepted_at IS NOT NULL THEN 'accepted' WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= kt_now() THEN 'expired' ELSE 'pending' END AS status`;

export interface OpenInvitation {
  readonly organizationId: string;
  readonly id: string;
  readonly email: string;
  readonly role: Role;
  readonly organizationName: string;
  readonly expiresAt: Date;
}

/** The newest first. */
export const listInvitationRows = async (db: Db, organizationId: string, after: string | undefined, limit: number): Promise<Invitation[]> =>
  (await db.query<Invitation>(`SELECT ${columns} FROM invitation WHERE organization_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3`, [organizationId, after ?? null, limit])).rows;

export const insertInvitation = async (
  db: Db,
  { organizationId, id, email, role, tokenHash, invitedBy, expiresMs }: { organizationId: string; id: string; email: string; role: Role; tokenHash: Buffer; invitedBy: string | null; expiresMs: number },
): Promise<Invitation> => {
  const { rows } = await db.query<Invitation>(
    `INSERT INTO invitation (organization_id, id, email, role, token_hash, invited_by, expires_at) VALUES ($1, $2, $3, $4, $5, $6, kt_now() + $7 * interval '1 millisecond') RETURNING ${columns}`,
    [organizationId, id, email, role, tokenHash, invitedBy, expiresMs],
  );
  return rows[0]!;
};

/** Ends those that wait: one by its id, or all of an address. Answers how many. */
export const revokeInvitations = async (db: Db, organizationId: string, which: { id: string } | { email: string }): Promise<number> => {
  const [column, value] = 'id' in which ? ['id', which.id] : ['email', which.email];
  return (await db.query(`UPDATE invitation SET revoked_at = kt_now() WHERE organization_id = $1 AND ${column} = $2 AND accepted_at IS NULL AND revoked_at IS NULL`, [organizationId, value])).rowCount ?? 0;
};

/** Crosses organizations by a named function: whoever has the secret of the link may know. */
export const findOpenInvitation = async (db: Db, tokenHash: Buffer): Promise<OpenInvitation | null> =>
  (
    await db.query<OpenInvitation>(
      'SELECT organization_id AS "organizationId", id, email, role, organization_name AS "organizationName", expires_at AS "expiresAt" FROM invitation_of($1)',
      [tokenHash],
    )
  ).rows[0] ?? null;

/** Answers the organization. */
export const acceptInvitationRow = async (db: Db, tokenHash: Buffer, personId: string): Promise<string> =>
  (await db.query<{ id: string }>('SELECT invitation_accept($1, $2) AS id', [tokenHash, personId])).rows[0]!.id;
