import { ObjectType, registerEnumType } from '@nestjs/graphql';
import { connectionType } from '../shapes/connection.js';
import { Moment, Of, Text } from '../shapes/field.js';
import { globalId } from '../shapes/global-id.js';
import { NodeObject } from '../shapes/node.type.js';

export enum OrganizationKind {
  CUSTOMER = 'customer',
  COMPANY = 'company',
}
registerEnumType(OrganizationKind, {
  name: 'OrganizationKind',
  description: 'Whether an organization buys or sells.',
  valuesMap: { CUSTOMER: { description: 'A buyer of tokens.' }, COMPANY: { description: 'The seller, whose members are the staff.' } },
});

@ObjectType({ implements: () => [NodeObject], description: 'A customer, or the company itself. Everything else belongs to one.' })
export class Organization extends NodeObject {
  declare readonly __typename: 'Organization';
  /** Not shown. */
  readonly organizationId!: string;
  readonly parentId!: string | null;

  @Text('Its short name in addresses, unique.')
  readonly slug!: string;

  @Text('Its name.')
  readonly name!: string;

  @Of(() => OrganizationKind, 'Customer or company.')
  readonly kind!: OrganizationKind;

  @Text('`active`, or why it may not spend.')
  readonly status!: string;

  @Text('The zone in which its days and months begin, by the name of the IANA database.')
  readonly timeZone!: string;

  @Moment('When it was created.')
  readonly createdAt!: Date;
}
export const OrganizationConnection = connectionType(Organization, 'Organization', 'organizations');

export interface OrganizationRow {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  readonly kind: OrganizationKind;
  readonly status: string;
  readonly timeZone: string;
  readonly parentId: string | null;
  readonly createdAt: Date;
}

export const toOrganization = ({ id, ...row }: OrganizationRow): Organization => ({ __typename: 'Organization', ...row, id: globalId('Organization', id, id), organizationId: id });
