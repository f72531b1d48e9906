import { Inject } from '@nestjs/common';
import { Args, Context, InputType, Mutation, ObjectType, Resolver } from '@nestjs/graphql';
import { createServiceToken, inviteMember, removeMember, revokeInvitation, revokeServiceToken, setMemberRole, type Mailing } from '@kilotoken/people';
import { Operation } from '../operation/operation.js';
import { ChangeInput } from '../shapes/change-input.js';
import { Id, Moment, Of, optional, Text, Texts } from '../shapes/field.js';
import { Done, done, invalidInput, notFound, placeOf, resultUnion } from '../shapes/problem.type.js';
import { mailing } from '../../sign-in/sign-in.module.js';
import { invitationsOf, memberOf, serviceTokensOf } from './people.resolver.js';
import { Invitation, Member, ServiceToken } from './person.type.js';
import { RoleName } from './role.js';

@InputType({ description: 'An invitation.' })
export class InviteMemberInput extends ChangeInput {
  @Id('The organization.')
  readonly organizationId!: string;

  @Text('The address that it is mailed to.')
  readonly email!: string;

  @Of(() => RoleName, 'The role that it gives.')
  readonly role!: RoleName;
}
const InviteMemberResult = resultUnion('InviteMemberResult', Invitation);

@InputType({ description: 'The invitation to take back.' })
export class RevokeInvitationInput extends ChangeInput {
  @Id('The invitation.')
  readonly id!: string;
}
const RevokeInvitationResult = resultUnion('RevokeInvitationResult', Done);

@InputType({ description: 'A new role of a member.' })
export class SetMemberRoleInput extends ChangeInput {
  @Id('The organization.')
  readonly organizationId!: string;

  @Id('The person.')
  readonly personId!: string;

  @Of(() => RoleName, 'The role.')
  readonly role!: RoleName;
}
const SetMemberRoleResult = resultUnion('SetMemberRoleResult', Member);

@InputType({ description: 'The member to remove.' })
export class RemoveMemberInput extends ChangeInput {
  @Id('The organization.')
  readonly organizationId!: string;

  @Id('The person.')
  readonly personId!: string;
}
const RemoveMemberResult = resultUnion('RemoveMemberResult', Done);

@ObjectType({ description: 'A service token with its text, which nobody can show again.' })
class CreatedServiceToken {
  readonly __typename!: 'CreatedServiceToken';

  @Of(() => ServiceToken, 'The token.')
  readonly serviceToken!: ServiceToken;

  @Text('Its text. Keep it; it is shown this once.')
  readonly secret!: string;
}

@InputType({ description: 'A new service token.' })
export class CreateServiceTokenInput extends ChangeInput {
  @Id('The organization.')
  readonly organizationId!: string;

  @Text('Its name.')
  readonly name!: string;

  @Of(() => RoleName, 'The role that it acts with.')
  readonly role!: RoleName;

  @Texts('The permissions that it is narrowed to; all of the role if left out.', optional)
  readonly permissions?: string[] | null;

  @Moment('When it ends, rounded up to whole days from now.')
  readonly expiresAt!: Date;
}
const CreateServiceTokenResult = resultUnion('CreateServiceTokenResult', CreatedServiceToken);

@InputType({ description: 'The service token to end.' })
export class RevokeServiceTokenInput extends ChangeInput {
  @Id('The token.')
  readonly id!: string;
}
const RevokeServiceTokenResult = resultUnion('RevokeServiceTokenResult', ServiceToken);

/** The person whom an id names; people belong to no organization. */
const personOf = (id: string): string => placeOf('Person', id).id;

@Resolver()
export class PeopleChangesResolver {
  constructor(@Inject(mailing) private readonly mails: Mailing) {}

  @Mutation(() => InviteMemberResult, { description: 'Mails an invitation. An earlier one of the address ends.' })
  inviteMember(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: InviteMemberInput) {
    return operation.change('inviteMember', input, async (changes) => {
      const { id: organizationId } = placeOf('Organization', input.organizationId);
      operation.requireEither('members.write', 'staff.people.write', organizationId);
      operation.requireWhole('members.write');
      const invitedBy = operation.signedIn.kind === 'person' ? operation.signedIn.id : null;
      const { id } = await changes.throughPool(organizationId, (pool) => inviteMember(pool, this.mails, { organizationId, email: input.email, role: input.role, invitedBy }));
      return found(await invitationsOf(operation, organizationId), id);
    });
  }

  @Mutation(() => RevokeInvitationResult, { description: 'Takes back an invitation that was not accepted.' })
  revokeInvitation(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: RevokeInvitationInput) {
    return operation.change('revokeInvitation', input, async (changes) => {
      const { organizationId, id } = placeOf('Invitation', input.id);
      operation.requireEither('members.write', 'staff.people.write', organizationId);
      await changes.throughPool(organizationId, (pool) => revokeInvitation(pool, { organizationId, id }));
      return done;
    });
  }

  @Mutation(() => SetMemberRoleResult, { description: 'Gives a member another role. The last owner stays one.' })
  setMemberRole(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: SetMemberRoleInput) {
    return operation.change('setMemberRole', input, async (changes) => {
      const { id: organizationId } = placeOf('Organization', input.organizationId);
      operation.requireEither('members.write', 'staff.people.write', organizationId);
      operation.requireWhole('members.write');
      const personId = personOf(input.personId);
      await changes.throughPool(organizationId, (pool) => setMemberRole(pool, { organizationId, personId, role: input.role }));
      const member = await memberOf(operation, organizationId, personId);
      if (!member) throw notFound();
      return member;
    });
  }

  @Mutation(() => RemoveMemberResult, { description: 'Removes a member. The last owner stays.' })
  removeMember(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: RemoveMemberInput) {
    return operation.change('removeMember', input, async (changes) => {
      const { id: organizationId } = placeOf('Organization', input.organizationId);
      operation.requireEither('members.write', 'staff.people.write', organizationId);
      const personId = personOf(input.personId);
      await changes.throughPool(organizationId, (pool) => removeMember(pool, { organizationId, personId }));
      return done;
    });
  }

  @Mutation(() => CreateServiceTokenResult, { description: 'Makes a service token. Its text is shown once, here.' })
  createServiceToken(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: CreateServiceTokenInput) {
    return operation.change('createServiceToken', input, async (changes) => {
      const { id: organizationId } = placeOf('Organization', input.organizationId);
      operation.requireEither('tokens.write', 'staff.people.write', organizationId);
      operation.requireWhole('tokens.write');
      const createdBy = operation.signedIn.kind === 'person' ? operation.signedIn.id : null;
      const { name, role, expiresAt, permissions = null } = input;
      const { id, token } = await changes.throughPool(organizationId, (pool) => createServiceToken(pool, { organizationId, name, role, permissions: permissions as never, expiresInDays: daysUntil(expiresAt), createdBy }));
      return { __typename: 'CreatedServiceToken', serviceToken: found(await serviceTokensOf(operation, organizationId), id), secret: token };
    });
  }

  @Mutation(() => RevokeServiceTokenResult, { description: 'Ends a service token for good, from its next request on.' })
  revokeServiceToken(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: RevokeServiceTokenInput) {
    return operation.change('revokeServiceToken', input, async (changes) => {
      const { organizationId, id } = placeOf('ServiceToken', input.id);
      operation.requireEither('tokens.write', 'staff.people.write', organizationId);
      await changes.throughPool(organizationId, (pool) => revokeServiceToken(pool, { organizationId, id }));
      return found(await serviceTokensOf(operation, organizationId), id);
    });
  }
}

const dayMs = 86_400_000;

const daysUntil = (moment: Date): number => {
  const days = Math.ceil((moment.getTime() - Date.now()) / dayMs);
  if (days < 1) throw invalidInput('expiresAt', 'a moment in the future is needed');
  return days;
};

const found = <Item>(items: readonly { readonly id: string; readonly item: Item }[], id: string): Item => {
  const one = items.find((candidate) => candidate.id === id);
  if (!one) throw notFound();
  return one.item;
};
