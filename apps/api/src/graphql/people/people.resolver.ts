import { Args, Context, Parent, ResolveField, Resolver } from '@nestjs/graphql';
import { Operation } from '../operation/operation.js';
import { Organization } from '../organizations/organization.type.js';
import { connectionOf, PageArgs, readPage, type Connection } from '../shapes/connection.js';
import { findMembers, findPeople, listInvitations, listMembers, listServiceTokens, toInvitation, toMember, toPerson, toServiceToken } from './people.store.js';
import { Invitation, Member, MemberConnection, ServiceToken } from './person.type.js';

export const invitationsOf = async (operation: Operation, organizationId: string): Promise<{ id: string; item: Invitation }[]> => {
  const reading = operation.readingOf(organizationId, 'members.read', 'staff.people.read');
  const rows = await reading.load('invitations', null, organizationId, listInvitations);
  return Promise.all(
    rows.map(async (row) => {
      const { inviterId, ...invitation } = toInvitation(row);
      const inviter = inviterId === null ? null : await reading.load('person', null, inviterId, findPeople);
      return { id: row.id, item: { ...invitation, invitedBy: inviter && toPerson(inviter) } };
    }),
  );
};

export const serviceTokensOf = async (operation: Operation, organizationId: string): Promise<{ id: string; item: ServiceToken }[]> => {
  const rows = await operation.readingOf(organizationId, 'tokens.read', 'staff.people.read').load('service tokens', null, organizationId, listServiceTokens);
  return rows.map((row) => ({ id: row.id, item: toServiceToken(row) }));
};

export const memberOf = async (operation: Operation, organizationId: string, personId: string): Promise<Member | null> => {
  const row = await operation.readingOf(organizationId, 'members.read', 'staff.people.read').load('member', null, { organizationId, personId }, findMembers);
  return row && toMember(row);
};

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
    return (await invitationsOf(operation, organizationId)).map(({ item }) => item);
  }

  @ResolveField(() => [ServiceToken], { description: 'Its service tokens, the newest first; those that ended more than 90 days ago are left out.' })
  async serviceTokens(@Context('operation') operation: Operation, @Parent() { organizationId }: Organization): Promise<ServiceToken[]> {
    return (await serviceTokensOf(operation, organizationId)).map(({ item }) => item);
  }
}
