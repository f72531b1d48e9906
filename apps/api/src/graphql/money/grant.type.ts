import { ObjectType, registerEnumType } from '@nestjs/graphql';
import { connectionType } from '../shapes/connection.js';
import { Count, Exact, Moment, Of, optional, Text, Texts } from '../shapes/field.js';
import { NodeObject } from '../shapes/node.type.js';

@ObjectType({ description: 'All of an organization in one unit: a currency, or the unit of a token package.' })
export class Balance {
  @Text('The unit, such as `USD` or `qwen-pack`.')
  readonly unit!: string;

  @Exact('The amount that new requests may use.')
  readonly available!: string;

  @Exact('The amount that running requests hold, as far as they have lasted a second.')
  readonly held!: string;

  @Exact('The sum of its grants, with adjustments and without refunds, transfers and expiries.')
  readonly granted!: string;

  @Exact('The amount that requests have used.')
  readonly used!: string;

  @Exact('The mean use of a day over the last seven days; of an organization that began within them, since its first use, but at least a day.')
  readonly burnPerDay!: string;

  @Moment('When it runs out at that rate, or its grants have ended; null: not within ten years.', optional)
  readonly runsOutOn!: Date | null;

  @Moment('When the next grant expires that still has something; null: none does.', optional)
  readonly expiresNext!: Date | null;
}

export enum GrantState {
  ACTIVE = 'active',
  UPCOMING = 'upcoming',
  SPENT = 'spent',
  EXPIRED = 'expired',
  CLOSING = 'closing',
  CLOSED = 'closed',
}
registerEnumType(GrantState, {
  name: 'GrantState',
  description: 'The part of its life in which a grant is.',
  valuesMap: {
    ACTIVE: { description: 'Requests may use it.' },
    UPCOMING: { description: 'It begins later.' },
    SPENT: { description: 'Nothing is left.' },
    EXPIRED: { description: 'Its end has passed.' },
    CLOSING: { description: 'It is refunded as soon as gateways have returned their parts.' },
    CLOSED: { description: 'It was refunded.' },
  },
});

@ObjectType({ implements: () => [NodeObject], description: 'An amount of a unit that an organization may spend: a package, a prepaid balance, a promotion and so on.' })
export class Grant extends NodeObject {
  declare readonly __typename: 'Grant';
  readonly organizationId!: string;

  @Text('Its kind, such as `prepaid`, `package` or `promotion`.')
  readonly source!: string;

  @Text('The unit that it is counted in.')
  readonly unit!: string;

  @Exact('The amount that was issued, with adjustments since.')
  readonly amount!: string;

  @Exact('The amount that new requests may use.')
  readonly available!: string;

  @Exact('The part that gateways have leased to spend.')
  readonly leased!: string;

  @Of(() => GrantState, 'The part of its life in which it is.')
  readonly state!: GrantState;

  @Count('Lower burns first.')
  readonly priority!: number;

  @Texts('The models that it may pay for; null: all.', optional)
  readonly scope!: string[] | null;

  @Moment('From when on it may be used.')
  readonly effectiveAt!: Date;

  @Moment('Until when it may be used; null: for good.', optional)
  readonly expiresAt!: Date | null;

  @Text('The order, payment or ticket behind it.', optional)
  readonly reference!: string | null;

  @Moment('When it was issued.')
  readonly createdAt!: Date;
}
export const GrantConnection = connectionType(Grant, 'Grant', 'grants');
