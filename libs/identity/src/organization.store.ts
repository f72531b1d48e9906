import type { RawDb } from '@kilotoken/platform';
import type { PrismaDb } from '@kilotoken/platform/prisma';
import type { Organization, Project } from './identity.js';

export const findPriceBookId = async (db: PrismaDb, name: string): Promise<string | null> =>
  (await db.priceBook.findUnique({ where: { name }, select: { id: true } }))?.id ?? null;

const withPriceBook = { priceBook: { select: { name: true } } } as const;

type OrganizationRow = Omit<Organization, 'priceBook'> & { readonly priceBook: { readonly name: string } };

const toOrganization = ({ id, name, slug, priceBook, timeZone, status, parentId, kind, createdAt }: OrganizationRow): Organization => ({
  id,
  name,
  slug,
  priceBook: priceBook.name,
  timeZone,
  status,
  parentId,
  kind,
  createdAt,
});

export const insertOrganization = async (
  db: PrismaDb,
  organization: { id: string; name: string; slug: string; priceBookId: string; timeZone: string; parentId: string | null },
): Promise<Organization> =>
  // A trigger gives one with a parent its tree's root.
  toOrganization(await db.organization.create({ data: { ...organization, accountRootId: organization.id }, include: withPriceBook }));

/** Null: there is no such organization. */
export const updateTimeZone = async (db: PrismaDb, id: string, timeZone: string): Promise<Organization | null> => {
  const [row] = await db.organization.updateManyAndReturn({ where: { id }, data: { timeZone }, include: withPriceBook });
  return row ? toOrganization(row) : null;
};

/** As Postgres spells the name of a zone, in whatever case it is asked for; null where it knows none by it. */
export const findTimeZone = async (db: RawDb, name: string): Promise<string | null> => {
  const rows = await db.$queryRaw<{ name: string }[]>`SELECT name FROM pg_timezone_names WHERE lower(name) = lower(${name})`;
  return rows[0]?.name ?? null;
};

/** By id, slug or name, of which only the name may be several's; at most `limit`, in the order of their slugs. */
export const findOrganizations = (db: RawDb, { id, slug, name }: { id?: string; slug?: string; name?: string }, limit: number): Promise<Organization[]> =>
  db.$queryRaw<Organization[]>`
    SELECT o.id::text, o.name, o.slug, b.name AS "priceBook", o.time_zone AS "timeZone", o.status, o.parent_id::text AS "parentId", o.kind, o.created_at AS "createdAt"
    FROM organization o JOIN price_book b ON b.id = o.price_book_id
    WHERE o.id = ${id ?? null}::uuid OR o.slug = ${slug ?? null}::text OR o.name = ${name ?? null}::text
    ORDER BY o.slug LIMIT ${limit}::int`;

/** In the order of their slugs. */
export const listOrganizationRows = (db: RawDb, afterSlug: string | undefined, limit: number): Promise<Organization[]> =>
  db.$queryRaw<Organization[]>`
    SELECT o.id::text, o.name, o.slug, b.name AS "priceBook", o.time_zone AS "timeZone", o.status, o.parent_id::text AS "parentId", o.kind, o.created_at AS "createdAt"
    FROM organization o JOIN price_book b ON b.id = o.price_book_id
    WHERE o.slug > ${afterSlug ?? ''}::text ORDER BY o.slug LIMIT ${limit}::int`;

export const insertProject = (db: PrismaDb, project: { organizationId: string; id: string; name: string }): Promise<Project> =>
  db.project.create({ data: project });

export const findProject = async (db: RawDb, organizationId: string, { id, name }: { id?: string; name?: string }): Promise<Project | null> => {
  const rows = await db.$queryRaw<Project[]>`
    SELECT organization_id::text AS "organizationId", id::text, name, created_at AS "createdAt", archived_at AS "archivedAt" FROM project
    WHERE organization_id = ${organizationId}::uuid AND (id = ${id ?? null}::uuid OR name = ${name ?? null}::text)`;
  return rows[0] ?? null;
};

/** In the order of their names. */
export const listProjectRows = (db: RawDb, organizationId: string, afterName: string | undefined, limit: number): Promise<Project[]> =>
  db.$queryRaw<Project[]>`
    SELECT organization_id::text AS "organizationId", id::text, name, created_at AS "createdAt", archived_at AS "archivedAt" FROM project
    WHERE organization_id = ${organizationId}::uuid AND name > ${afterName ?? ''}::text ORDER BY name LIMIT ${limit}::int`;
