import { ObjectType, registerEnumType } from '@nestjs/graphql';
import { Id, Of, optional, Texts } from '../shapes/field.js';
import { RoleName } from '../people/role.js';

export enum ViewerKind {
  PERSON = 'person',
  TOKEN = 'token',
}
registerEnumType(ViewerKind, {
  name: 'ViewerKind',
  description: 'Whether a person or a machine asks.',
  valuesMap: { PERSON: { description: 'Somebody with a session.' }, TOKEN: { description: 'A service token.' } },
});

@ObjectType('Viewer', { description: 'The one who asks.' })
export class ViewerObject {
  @Id('The id of the person or token.')
  readonly id!: string;

  @Of(() => ViewerKind, 'Whether a person or a machine asks.')
  readonly kind!: ViewerKind;

  @Of(() => RoleName, "The role in the company; null for customers, and while the staff look at a customer's pages.", optional)
  readonly staffRole!: RoleName | null;

  @Texts('The permissions that the role in the company has.')
  readonly staffPermissions!: string[];
}

@ObjectType({ description: "The viewer's place in an organization." })
export class ViewerMembership {
  readonly organizationId!: string;

  @Of(() => RoleName, 'The role.')
  readonly role!: RoleName;

  @Texts('The permissions that it has there.')
  readonly permissions!: string[];
}
