import { changeAs } from '@kilotoken/platform';
import type { ControlClient } from '@kilotoken/platform/prisma';
import { z } from 'zod';
import { conflict, invalid, notFound, parseInput } from './identity.errors.js';
import { nameSchema, type Organization, type Project } from './identity.js';
import { getOrganization, getProject, setTimeZone } from './organization.flow.js';
import { archiveProjectRow, countWorkingKeys, renameOrganization } from './organization-change.store.js';

const organizationChangeSchema = z.strictObject({ id: z.uuid(), name: nameSchema.optional(), timeZone: z.string().optional() });
export type OrganizationChange = z.input<typeof organizationChangeSchema>;

/** Renames an organization or moves its zone; fields that are left out stay. Throws `identity_invalid` or `organization_not_found`. */
export const updateOrganization = async (client: ControlClient, input: OrganizationChange): Promise<Organization> => {
  const { id, name, timeZone } = parseInput(organizationChangeSchema, input);
  if (name === undefined && timeZone === undefined) throw invalid('input: a name or a time zone is needed');
  if (timeZone !== undefined) await setTimeZone(client, { id, timeZone });
  return changeAs(client, id, async (db) => {
    if (name !== undefined && !(await renameOrganization(db, id, name))) throw notFound('organization', `There is no organization "${id}".`);
    return getOrganization(db, id);
  });
};

const projectPlaceSchema = z.strictObject({ organizationId: z.uuid(), id: z.uuid() });

/** For good; archiving again changes nothing. Throws `project_not_found`, or `project_in_use` while a key of it works. */
export const archiveProject = (client: ControlClient, input: z.input<typeof projectPlaceSchema>): Promise<Project> => {
  const { organizationId, id } = parseInput(projectPlaceSchema, input);
  return changeAs(client, organizationId, async (db) => {
    const project = await getProject(db, organizationId, id);
    if (project.archivedAt) return project;
    const keys = await countWorkingKeys(db, organizationId, id);
    if (keys > 0) throw conflict('project_in_use', `${keys === 1 ? 'One key' : `${keys} keys`} of the project "${project.name}" still work. Revoke them first.`, { count: keys, project: project.name });
    return archiveProjectRow(db, organizationId, id);
  });
};
