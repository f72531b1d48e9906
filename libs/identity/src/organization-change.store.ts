import type { PrismaDb } from '@kilotoken/platform/prisma';
import type { Project } from './identity.js';

/** False: there is no such organization. */
export const renameOrganization = async (db: PrismaDb, id: string, name: string): Promise<boolean> =>
  (await db.organization.updateMany({ where: { id }, data: { name } })).count > 0;

/** Locks the project, so that no key is made for it meanwhile: making one reads it under a foreign key. */
export const countWorkingKeys = async (db: PrismaDb, organizationId: string, projectId: string): Promise<number> => {
  await db.$queryRaw`SELECT id FROM project WHERE organization_id = ${organizationId}::uuid AND id = ${projectId}::uuid FOR UPDATE`;
  const rows = await db.$queryRaw<{ keys: number }[]>`
    SELECT count(*)::integer AS keys FROM api_key
    WHERE organization_id = ${organizationId}::uuid AND project_id = ${projectId}::uuid AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > kt_now())`;
  return rows[0]!.keys;
};

export const archiveProjectRow = async (db: PrismaDb, organizationId: string, id: string): Promise<Project> => {
  const rows = await db.$queryRaw<Project[]>`
    UPDATE project SET archived_at = kt_now() WHERE organization_id = ${organizationId}::uuid AND id = ${id}::uuid
    RETURNING organization_id::text AS "organizationId", id::text, name, created_at AS "createdAt", archived_at AS "archivedAt"`;
  return rows[0]!;
};
