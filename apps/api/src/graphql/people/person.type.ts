import { ObjectType } from '@nestjs/graphql';
import { connectionType } from '../shapes/connection.js';
import { Flag, Id, Moment, Of, optional, Text, Texts } from '../shapes/field.js';
import { NodeObject } from '../shapes/node.type.js';
import { RoleName } from './role.js';

@ObjectType({ implements: () => [NodeObject], description: 'Somebody who signs in.' })
export class Person extends NodeObject {
  declare readonly __typename: 'Person';

  @Text('Their name.')
  readonly name!: string;

  @Text('The address that they sign in with.')
  readonly email!: string;

  @Moment('When they first signed up.')
  readonly createdAt!: Date;
}

@ObjectType({ description: "A person's place in an organization." })
export class Member {
  readonly __typename!: 'Member';

  @Of(() => Person, 'The person.')
  readonly person!: Person;

  @Of(() => RoleName, 'Their role.')
  readonly role!: RoleName;

  @Moment('Since when they are a member.')
  readonly since!: Date;

  @Flag('Whether they sign in with a second factor.')
  readonly twoFactorEnabled!: boolean;
}
export const MemberConnection = connectionType(Member, 'Member', 'members');

@ObjectType({ implements: () => [NodeObject], description: 'An invitation by mail that was neither accepted nor revoked.' })
export class Invitation extends NodeObject {
  declare readonly __typename: 'Invitation';

  @Text('The address that it was sent to.')
  readonly email!: string;

  @Of(() => RoleName, 'The role that it gives.')
  readonly role!: RoleName;

  @Moment('When it was sent.')
  readonly createdAt!: Date;

  @Moment('Until when it can be accepted.')
  readonly expiresAt!: Date;

  @Of(() => Person, 'The person who invited; null: a token or an operator did.', optional)
  readonly invitedBy!: Person | null;
}

@ObjectType({ implements: () => [NodeObject], description: 'A token with which a machine acts in an organization. Its text is shown once, where it is created.' })
export class ServiceToken extends NodeObject {
  declare readonly __typename: 'ServiceToken';

  @Text('The name that its maker gave it.')
  readonly name!: string;

  @Text('The beginning of its text, to tell tokens apart.')
  readonly prefix!: string;

  @Of(() => RoleName, 'The role that it acts with.')
  readonly role!: RoleName;

  @Texts('The permissions that it is narrowed to; null: all of its role.', optional)
  readonly permissions!: string[] | null;

  @Moment('When it was created.')
  readonly createdAt!: Date;

  @Moment('When it ends.')
  readonly expiresAt!: Date;

  @Moment('When it was revoked.', optional)
  readonly revokedAt!: Date | null;

  @Moment('When it was last used, to the minute.', optional)
  readonly lastUsedAt!: Date | null;
}

@ObjectType({ description: 'Somebody or something that acted. Names are looked up, so an erased person has none.' })
export class ActorInfo {
  @Text('`person`, `token`, `system` or `kt`, the operator\'s command line.')
  readonly kind!: string;

  @Id('The id of the person or token, or the name of the job or login.')
  readonly id!: string;

  @Text('The name, where one is known.', optional)
  readonly name!: string | null;
}
