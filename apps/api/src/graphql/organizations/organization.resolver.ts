import { Args, Context, ID, Parent, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { Operation } from '../operation/operation.js';
import { badInput, connectionOf, PageArgs, readPage, type Connection } from '../shapes/connection.js';
import { readIdOf } from '../shapes/global-id.js';
import { findOrganizationsById, findOrganizationsBySlug, listChildren, listCustomers } from './organization.store.js';
import { Organization, OrganizationConnection, toOrganization } from './organization.type.js';

const slugPattern = /^[a-z0-9][a-z0-9-]{0,62}$/;
const searchCharactersMax = 200;

/** An organization that the viewer may read; null where there is none, or it is not the viewer's. */
export const loadOrganization = async (operation: Operation, organizationId: string): Promise<Organization | null> => {
  const row = await operation.findReadingOf(organizationId, 'organization.read', 'staff.organizations.read')?.load('organization', null, organizationId, findOrganizationsById);
  return row ? toOrganization(row) : null;
};

/** As `loadOrganization`, for fields of what an organization owns: its own name may not be readable where it is. */
export const loadOrganizationOf = async (operation: Operation, organizationId: string): Promise<Organization> => {
  const organization = await loadOrganization(operation, organizationId);
  if (!organization) throw new Error(`the organization ${organizationId} of an object that was read cannot be read`);
  return organization;
};

@Resolver(() => Organization)
export class OrganizationResolver {
  @Query(() => Organization, { nullable: true, description: 'One organization by its id or slug; null where there is none, or it is not the viewer\'s.' })
  async organization(
    @Context('operation') operation: Operation,
    @Args('id', { type: () => ID, nullable: true, description: 'Its global id.' }) id: string | null,
    @Args('slug', { type: () => String, nullable: true, description: 'Its slug.' }) slug: string | null,
  ): Promise<Organization | null> {
    if ((id == null) === (slug == null)) throw badInput('one of id and slug is needed');
    if (operation.viewer === null) return null;
    if (id != null) {
      const found = readIdOf('Organization', id);
      return found ? loadOrganization(operation, found.id) : null;
    }
    if (!slugPattern.test(slug!)) return null;
    const readings = operation.organizationReadings();
    for (const reading of readings) {
      const row = await reading.load('organization by slug', null, slug!, findOrganizationsBySlug);
      if (row && operation.findReadingOf(row.id, 'organization.read', 'staff.organizations.read')) return toOrganization(row);
    }
    return null;
  }

  @Query(() => OrganizationConnection, { description: 'All customers in the order of their slugs. Of the staff.' })
  async organizations(
    @Context('operation') operation: Operation,
    @Args() args: PageArgs,
    @Args('search', { type: () => String, nullable: true, description: 'Part of a slug or name, in any case.' }) search: string | null,
  ): Promise<Connection<Organization>> {
    const reading = operation.staffReadingFor('staff.organizations.read');
    if (search != null && (search.length > searchCharactersMax || search.includes('\0'))) throw badInput(`search: at most ${searchCharactersMax} characters are needed, none of them NUL`);
    const page = readPage(args, ['text']);
    const rows = await reading.run((db) => listCustomers(db, page, search || null));
    return connectionOf(rows, page, ({ slug }) => [slug], toOrganization);
  }

  @ResolveField(() => Organization, { nullable: true, description: 'The organization that pays for it, where the viewer may read that one too.' })
  async parent(@Context('operation') operation: Operation, @Parent() { parentId }: Organization): Promise<Organization | null> {
    return parentId === null ? null : loadOrganization(operation, parentId);
  }

  @ResolveField(() => OrganizationConnection, { description: 'The organizations that it pays for, in the order of their slugs.' })
  async children(@Context('operation') operation: Operation, @Parent() { organizationId }: Organization, @Args() args: PageArgs): Promise<Connection<Organization>> {
    const reading = operation.readingOf(organizationId, 'organization.read', 'staff.organizations.read');
    const page = readPage(args, ['text']);
    const rows = await reading.load('children', page, organizationId, (db, ids) => listChildren(db, ids, page));
    return connectionOf(rows, page, ({ slug }) => [slug], toOrganization);
  }

  @ResolveField(() => [String], { description: "The viewer's permissions in it." })
  permissions(@Context('operation') operation: Operation, @Parent() { organizationId }: Organization): readonly string[] {
    return operation.permissionsIn(organizationId);
  }
}
