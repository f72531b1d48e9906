import type { PrismaDb } from '@kilotoken/platform/prisma';
import type { Organization, Project } from './identity.js';

export const findPriceBookId = async (db: PrismaDb, name: string): Promise<string | null> =>
  (await db.priceBook.findUnique({ where: { name }, select: { id: true } }))?.id ?? null;

const withPriceBook = { priceBook: { select: { name: true } } } as const;

type OrganizationRow = Omit<Organization, 'priceBook'> & { readonly priceBook: { readonly name: string } };

const toOrganization = ({ id, name, slug, priceBook, timeZone, status, createdAt }: OrganizationRow): Organization => ({
  id,
  name,
  slug,
  priceBook: priceBook.name,
  timeZone,
  status,
  createdAt,
});

export const insertOrganization = async (
  db: PrismaDb,
  organization: { id: string; name: string; slug: string; priceBookId: string; timeZone: string },
): Promise<Organization> =>
  // Trees of organizations come later; until then each is the root of its own.
  toOrganization(await db.organization.create({ data: { ...organization, accountRootId: organization.id }, include: withPriceBook }));

/** Null: there is no such organization. */
export const updateTimeZone = async (db: PrismaDb, id: string, timeZone: string): Promise<Organization | null> => {
  const [row] = await db.organization.updateManyAndReturn({ where: { id }, data: { timeZone }, include: withPriceBook });
  return row ? toOrganization(row) : null;
};

/** As Postgres spells the name of a zone, in whatever case it is asked for; null where it knows none by it. */
export const findTimeZone = async (db: PrismaDb, name: string): Promise<string | null> => {
  const rows = await db.$queryRaw<{ name: string }[]>`SELECT name FROM pg_timezone_names WHERE lower(name) = lower(${name})`;
  return rows[0]?.name ?? null;
};

export const findOrganization = async (db: PrismaDb, where: { id: string } | { slug: string }): Promise<Organization | null> => {
  const row = await db.organization.findUnique({ where, include: withPriceBook });
  return row && toOrganization(row);
};

/** In the order of their slugs. */
export const listOrganizationRows = async (db: PrismaDb, afterSlug: string | undefined, limit: number): Promise<Organization[]> => {
  const where = afterSlug === undefined ? {} : { slug: { gt: afterSlug } };
  const rows = await db.organization.findMany({ where, orderBy: { slug: 'asc' }, take: limit, include: withPriceBook });
  return rows.map(toOrganization);
};

export const insertProject = (db: PrismaDb, project: { organizationId: string; id: string; name: string }): Promise<Project> =>
  db.project.create({ data: project });

export const findProject = (db: PrismaDb, organizationId: string, where: { id: string } | { name: string }): Promise<Project | null> =>
  db.project.findFirst({ where: { organizationId, ...where } });

/** In the order of their names. */
export const listProjectRows = (db: PrismaDb, organizationId: string, afterName: string | undefined, limit: number): Promise<Project[]> => {
  const after = afterName === undefined ? {} : { name: { gt: afterName } };
  return db.project.findMany({ where: { organizationId, ...after }, orderBy: { name: 'asc' }, take: limit });
};
