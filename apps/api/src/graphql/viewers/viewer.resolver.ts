import { Context, Parent, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { permissionsOf, staffRoleOf } from '@kilotoken/access';
import { Operation } from '../operation/operation.js';
import { loadOrganization, loadOrganizationOf } from '../organizations/organization.resolver.js';
import { Organization } from '../organizations/organization.type.js';
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

  @ResolveField(() => [ViewerMembership], { description: 'The organizations that the viewer has a role in.' })
  memberships(@Context('operation') operation: Operation): ViewerMembership[] {
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
  organization(@Context('operation') operation: Operation, @Parent() { organizationId }: ViewerMembership): Promise<Organization> {
    return loadOrganizationOf(operation, organizationId);
  }
}
