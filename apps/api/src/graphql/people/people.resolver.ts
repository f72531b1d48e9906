import { Args, Context, Parent, ResolveField, Resolver } from '@nestjs/graphql';
import { Operation } from '../operation/operation.js';
import { Organization } from '../organizations/organization.type.js';
import { connectionOf, PageArgs, readPage, type Connection } from '../shapes/connection.js';
import { findPeople, listInvitations, listMembers, listServiceTokens, toInvitation, toMember, toPerson, toServiceToken } from './people.store.js';
import { Invitation, Member, MemberConnection, ServiceToken } from './person.type.js';

@Resolver(() => Organization)
export class OrganizationPeopleResolver {
  @ResolveField(() => MemberConnection, { description: 'Its members, in the order of their first signing up.' })
  async members(@Context('operation') operation: Operation, @Parent() { organizationId }: Organization, @Args() args: PageArgs): Promise<Connection<Member>> {
    const reading = operation.readingOf(organizationId, 'members.read', 'staff.people.read');
    const page = readPage(args, ['uuid']);
    const rows = await reading.load('members', page, organizationId, (db, ids) => listMembers(db, ids, page));
    return connectionOf(rows, page, ({ personId }) => [personId], toMember);
  }

  @ResolveField(() => [Invitation], { description: 'Its invitations that can be accepted, the newest first.' })
  async invitations(@Context('operation') operation: Operation, @Parent() { organizationId }: Organization): Promise<Invitation[]> {
    const reading = operation.readingOf(organizationId, 'members.read', 'staff.people.read');
    const invitations = (await reading.load('invitations', null, organizationId, listInvitations)).map(toInvitation);
    return Promise.all(
      invitations.map(async ({ inviterId, ...invitation }) => {
        const inviter = inviterId === null ? null : await reading.load('person', null, inviterId, findPeople);
        return { ...invitation, invitedBy: inviter && toPerson(inviter) };
      }),
    );
  }

  @ResolveField(() => [ServiceToken], { description: 'Its service tokens, the newest first; those that ended more than 90 days ago are left out.' })
  async serviceTokens(@Context('operation') operation: Operation, @Parent() { organizationId }: Organization): Promise<ServiceToken[]> {
    const rows = await operation.readingOf(organizationId, 'tokens.read', 'staff.people.read').load('service tokens', null, organizationId, listServiceTokens);
    return rows.map(toServiceToken);
  }
}
