import { Context, Parent, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { permissionsOf, staffRoleOf } from '@kilotoken/access';
import { Operation } from '../operation/operation.js';
import { loadOrganization } from '../organizations/organization.resolver.js';
import { findOrganizationsById } from '../organizations/organization.store.js';
import { Organization, toOrganization } from '../organizations/organization.type.js';
import { findPeople, toPerson } from '../people/people.store.js';
import { Person } from '../people/person.type.js';
import { roleName } from '../people/role.js';
import { ViewerKind, ViewerMembership, ViewerObject } from './viewer.type.js';

@Resolver(() => ViewerObject)
export class ViewerResolver {
  @Query(() => ViewerObject, { nullable: true, description: 'The one who asks; null when nobody is signed in.' })
  viewer(@Context('operation') { viewer }: Operation): ViewerObject | null {
    if (!viewer) return null;
    const role = staffRoleOf(viewer);
    const staffPermissions = role === null ? [] : [...permissionsOf(role)].filter((permission) => viewer.permissions === null || viewer.permissions.has(permission)).sort();
    return { id: viewer.id, kind: viewer.kind === 'person' ? ViewerKind.PERSON : ViewerKind.TOKEN, staffRole: role === null ? null : roleName(role), staffPermissions };
  }

  @ResolveField(() => Person, { nullable: true, description: 'The person; null for a token.' })
  async person(@Context('operation') operation: Operation): Promise<Person | null> {
    const row = await this.findPerson(operation);
    return row && toPerson(row);
  }

  @ResolveField(() => Boolean, { description: 'Whether the person signs in with a second factor.' })
  async twoFactorEnabled(@Context('operation') operation: Operation): Promise<boolean> {
    return (await this.findPerson(operation))?.twoFactorEnabled ?? false;
  }

  @ResolveField(() => [ViewerMembership], { description: "The organizations that the viewer has a role in; none while the staff look at a customer's pages." })
  memberships(@Context('operation') operation: Operation): ViewerMembership[] {
    if (operation.signedIn.impersonating !== null) return [];
    return operation.signedIn.memberships.map(({ organizationId, role }) => ({ organizationId, role: roleName(role), permissions: [...operation.permissionsIn(organizationId)] }));
  }

  @ResolveField(() => Organization, { nullable: true, description: 'The organization whose pages a member of the staff looks at.' })
  async impersonating(@Context('operation') operation: Operation): Promise<Organization | null> {
    const { impersonating } = operation.signedIn;
    return impersonating === null ? null : loadOrganization(operation, impersonating);
  }

  private async findPerson(operation: Operation): Promise<Awaited<ReturnType<typeof findPeople>>[number]> {
    const { kind, id } = operation.signedIn;
    return kind === 'person' ? operation.ownReading().load('person', null, id, findPeople) : null;
  }
}

@Resolver(() => ViewerMembership)
export class ViewerMembershipResolver {
  @ResolveField(() => Organization, { description: 'The organization.' })
  async organization(@Context('operation') operation: Operation, @Parent() { organizationId }: ViewerMembership): Promise<Organization> {
    // No permission is asked: a member knows the name of their organization.
    const row = await operation.ownReading().load('organization', null, organizationId, findOrganizationsById);
    if (!row) throw new Error(`the viewer's organization ${organizationId} cannot be read`);
    return toOrganization(row);
  }
}
