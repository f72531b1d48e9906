import { ObjectType, registerEnumType } from '@nestjs/graphql';
import { connectionType } from '../shapes/connection.js';
import { Exact, Flag, Json, Moment, Of, optional, Text } from '../shapes/field.js';
import { NodeObject } from '../shapes/node.type.js';
import { ActorInfo } from '../people/person.type.js';

export enum ApprovalStatus {
  PENDING = 'pending',
  APPROVED = 'approved',
  REJECTED = 'rejected',
  CANCELLED = 'cancelled',
  EXPIRED = 'expired',
}
registerEnumType(ApprovalStatus, {
  name: 'ApprovalStatus',
  description: 'The fate of an approval.',
  valuesMap: {
    PENDING: { description: 'It waits for a second person.' },
    APPROVED: { description: 'It was approved and done.' },
    REJECTED: { description: 'It was refused.' },
    CANCELLED: { description: 'The one who asked took it back.' },
    EXPIRED: { description: 'Nobody decided in time.' },
  },
});

@ObjectType({ implements: () => [NodeObject], description: 'An act on a grant that is above the limit of its kind, and waits for a second person or did.' })
export class Approval extends NodeObject {
  declare readonly __typename: 'Approval';
  readonly organizationId!: string;

  @Text('The act: `grant.issue`, `grant.adjust`, `grant.refund` or `grant.transfer`.')
  readonly kind!: string;

  @Of(() => ApprovalStatus, 'Its fate.')
  readonly status!: ApprovalStatus;

  @Text('The unit of its amount.')
  readonly unit!: string;

  @Exact('Its amount, never negative.')
  readonly amount!: string;

  @Json('The act as it was asked for.')
  readonly summary!: unknown;

  @Of(() => ActorInfo, 'The one who asked.')
  readonly requestedBy!: ActorInfo;

  @Moment('When it was asked for.')
  readonly requestedAt!: Date;

  @Of(() => ActorInfo, 'The one who decided.', optional)
  readonly decidedBy!: ActorInfo | null;

  @Moment('When it was decided.', optional)
  readonly decidedAt!: Date | null;

  @Text('Why it was decided so.', optional)
  readonly reason!: string | null;

  @Moment('Until when it can be decided.')
  readonly expiresAt!: Date;

  @Flag('Whether the viewer may decide on it now.')
  readonly mayDecide!: boolean;
}
export const ApprovalConnection = connectionType(Approval, 'Approval', 'approvals');
