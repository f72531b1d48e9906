import type { Role } from '@kilotoken/access';
import type { Db } from '@kilotoken/platform';
import type { ServiceToken } from './people.js';

const columns = `organization_id AS "organizationId", id, name, prefix, role, permissions, created_by AS "createdBy", created_at AS "createdAt", expires_at AS "expiresAt",
  last_used_at AS "lastUsedAt", CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= kt_now() THEN 'expired' ELSE 'active' END AS status`;

/** The newest first. */
export const listServiceTokenRows = async (db: Db, organizationId: string, after: string | undefined, limit: number): Promise<ServiceToken[]> =>
  (await db.query<ServiceToken>(`SELECT ${columns} FROM service_token WHERE organization_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3`, [organizationId, after ?? null, limit])).rows;

export interface ServiceTokenRow {
  readonly organizationId: string;
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly hash: Buffer;
  readonly role: Role;
  readonly permissions: readonly string[] | null;
  readonly createdBy: string | null;
  readonly expiresInDays: number;
}

export const insertServiceToken = async (db: Db, row: ServiceTokenRow): Promise<ServiceToken> => {
  const { rows } = await db.query<ServiceToken>(
    `INSERT INTO service_token (organization_id, id, name, prefix, hash, role, permissions, created_by, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, kt_now() + $9 * interval '1 day') RETURNING ${columns}`,
    [row.organizationId, row.id, row.name, row.prefix, row.hash, row.role, row.permissions, row.createdBy, row.expiresInDays],
  );
  return rows[0]!;
};

/** Null where the organization has no such token. One that was revoked already stays so. */
export const revokeServiceTokenRow = async (db: Db, organizationId: string, id: string): Promise<ServiceToken | null> =>
  (await db.query<ServiceToken>(`UPDATE service_token SET revoked_at = coalesce(revoked_at, kt_now()) WHERE organization_id = $1 AND id = $2 RETURNING ${columns}`, [organizationId, id])).rows[0] ?? null;
