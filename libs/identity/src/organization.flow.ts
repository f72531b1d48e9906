import { changeAs, mintId, prismaSqlStateOf, type RawDb, readDatabaseNow, takenConstraintOf } from '@kilotoken/platform';
import type { ControlClient } from '@kilotoken/platform/prisma';
import { ambiguous, candidatesMax, conflict, invalid, isUuid, notFound, parseInput } from './identity.errors.js';
import {
  namePageSchema,
  nameSchema,
  newOrganizationSchema,
  newProjectSchema,
  organizationTimeZoneSchema,
  slugSchema,
  timeZoneNeeded,
  type NewOrganization,
  type NewProject,
  type Organization,
  type OrganizationTimeZone,
  type Page,
  type Project,
} from './identity.js';
import {
  findOrganizations,
  findPriceBookId,
  findProject,
  findTimeZone,
  insertOrganization,
  insertProject,
  listOrganizationRows,
  listProjectRows,
  updateTimeZone,
} from './organization.store.js';

/** Throws `identity_invalid`, `price_book_not_found`, `organization_exists`, or `organization_parent_invalid` below the company, nobody, or too many levels. */
export const createOrganization = async (client: ControlClient, input: NewOrganization): Promise<Organization> => {
  const { priceBook, parentId = null, ...organization } = parseInput(newOrganizationSchema, input);
  const timeZone = await getTimeZone(client, organization.timeZone);
  try {
    const id = mintId((await readDatabaseNow(client)).getTime());
    return await changeAs(client, id, async (db) => {
      const priceBookId = await findPriceBookId(db, priceBook);
      if (!priceBookId) throw notFound('price_book', `There is no price book "${priceBook}".`);
      return insertOrganization(db, { ...organization, timeZone, id, priceBookId, parentId });
    });
  } catch (error) {
    if (takenConstraintOf(error) === 'organization_slug_key') throw conflict('organization_exists', `The organization "${organization.slug}" already exists.`, { slug: organization.slug });
    if (prismaSqlStateOf(error) === 'KT052') throw conflict('organization_parent_invalid', 'The parent must be a customer, in an account tree of at most 8 levels.');
    throw error;
  }
};

/** As Postgres spells it. A zone that only one of Postgres and JavaScript knows would have days that cannot be counted in. */
const getTimeZone = async (db: RawDb, name: string): Promise<string> => {
  const known = await findTimeZone(db, name);
  if (known === null) throw invalid(`timeZone: ${timeZoneNeeded}`);
  return known;
};

/**
 * Its days, weeks and months begin by another zone from now on, those of its limits within a second on every gateway: the
 * window under way ends by the new zone, with what it has counted. Throws `identity_invalid` or `organization_not_found`.
 */
export const setTimeZone = async (client: ControlClient, input: OrganizationTimeZone): Promise<Organization> => {
  const { id, timeZone } = parseInput(organizationTimeZoneSchema, input);
  const known = await getTimeZone(client, timeZone);
  const organization = await changeAs(client, id, (db) => updateTimeZone(db, id, known));
  if (!organization) throw notFound('organization', `There is no organization "${id}".`);
  return organization;
};

/** By id or slug; null when there is none. */
export const findOrganizationBy = async (db: RawDb, idOrSlug: string): Promise<Organization | null> => {
  if (isUuid(idOrSlug)) return (await findOrganizations(db, { id: idOrSlug }, 1))[0] ?? null;
  return slugSchema.safeParse(idOrSlug).success ? ((await findOrganizations(db, { slug: idOrSlug }, 1))[0] ?? null) : null;
};

/**
 * By id or slug, or by the name that only one organization has. Throws `organization_not_found`, or `organization_ambiguous` with those that the name may mean.
 */
export const getOrganization = async (db: RawDb, text: string): Promise<Organization> => {
  const organization = await findOrganizationBy(db, text);
  if (organization) return organization;
  const name = nameSchema.safeParse(text);
  const named = name.success ? await findOrganizations(db, { name: name.data }, candidatesMax) : [];
  if (named.length === 1) return named[0]!;
  if (named.length > 1) throw ambiguous('organization', `Several organizations are called "${name.data}". Give the slug or id of one:`, named.map(({ slug, id }) => `${slug} (${id})`));
  throw notFound('organization', `There is no organization "${text.slice(0, 64)}".`);
};

/** In the order of their slugs; the next page begins after the last slug of this one. */
export const listOrganizations = async (db: RawDb, page: Page = {}): Promise<Organization[]> => {
  const { after, limit } = parseInput(namePageSchema, page);
  return listOrganizationRows(db, after, limit);
};

/** Throws `identity_invalid`, `organization_not_found` or `project_exists`. */
export const createProject = async (client: ControlClient, input: NewProject): Promise<Project> => {
  const { organizationId, name } = parseInput(newProjectSchema, input);
  try {
    return await changeAs(client, organizationId, async (db) => {
      await getOrganization(db, organizationId);
      return insertProject(db, { organizationId, id: mintId((await readDatabaseNow(db)).getTime()), name });
    });
  } catch (error) {
    if (takenConstraintOf(error) === 'project_organization_id_name_key') throw conflict('project_exists', `The organization already has a project "${name}".`, { project: name });
    throw error;
  }
};

/** By id or name within the organization; null when it has none. */
export const findProjectBy = async (db: RawDb, organizationId: string, idOrName: string): Promise<Project | null> => {
  if (isUuid(idOrName)) return findProject(db, organizationId, { id: idOrName });
  return nameSchema.safeParse(idOrName).success ? findProject(db, organizationId, { name: idOrName }) : null;
};

/** By id or name within the organization; throws `project_not_found`, also for another organization's. */
export const getProject = async (db: RawDb, organizationId: string, idOrName: string): Promise<Project> => {
  const project = await findProjectBy(db, organizationId, idOrName);
  if (!project) throw notFound('project', `The organization has no project "${idOrName.slice(0, 64)}".`);
  return project;
};

/** In the order of their names. */
export const listProjects = async (db: RawDb, organizationId: string, page: Page = {}): Promise<Project[]> => {
  const { after, limit } = parseInput(namePageSchema, page);
  return listProjectRows(db, organizationId, after, limit);
};
