import { ObjectType } from '@nestjs/graphql';
import { Counts, Exact, Id, Moment, Of, optional, Text } from '../shapes/field.js';
import { NodeObject } from '../shapes/node.type.js';

@ObjectType({ description: 'The one thing that a limit or budget is on.' })
export class LimitSubject {
  @Text('`organization`, `project`, `api_key`, or `end_users`: each end user of the organization alike.')
  readonly kind!: string;

  @Text('Its name.')
  readonly name!: string;

  @Id('The id of the organization, project or key; null for end users.', optional)
  readonly id!: string | null;
}

@ObjectType({ implements: () => [NodeObject], description: 'How much of a measure may be used in a time.' })
export class Limit extends NodeObject {
  declare readonly __typename: 'Limit';

  @Of(() => LimitSubject, 'The thing that it is on.')
  readonly subject!: LimitSubject;

  @Text('`requests`, `tokens`, `input_tokens`, `output_tokens`, `concurrency` or `money`.')
  readonly measure!: string;

  @Text('The unit of money; else `count`.')
  readonly unit!: string;

  @Text('`day`, `week` or `month` of the organization, a span such as `60s`, or `none` for concurrency.')
  readonly window!: string;

  @Exact('How much.')
  readonly amount!: string;

  @Text('`hard` stops, `soft` warns.')
  readonly mode!: string;

  @Exact('How much the window under way has counted, with slices that gateways have set aside; null for end users.', optional)
  readonly used!: string | null;

  @Moment('When it was first set.')
  readonly createdAt!: Date;
}

@ObjectType({ implements: () => [NodeObject], description: 'A limit of money, or of tokens by day, week or month.' })
export class Budget extends NodeObject {
  declare readonly __typename: 'Budget';

  @Of(() => LimitSubject, 'The thing that it is on.')
  readonly subject!: LimitSubject;

  @Text('A currency, the unit of a package, or `tokens`.')
  readonly unit!: string;

  @Text('`day`, `week` or `month` of the organization, or a span such as `86400s`.')
  readonly period!: string;

  @Text('`hard` stops, `soft` warns.')
  readonly mode!: string;

  @Exact('How much.')
  readonly amount!: string;

  @Exact('How much of it counts now: the sum by which gateways decide, with the parts that they have set aside. Of a span such as `86400s` it is the use of the last span, whenever the period began. `0` for end users, each of whom has a budget of their own.')
  readonly used!: string;

  @Exact('How much is left of it; never below zero.')
  readonly left!: string;

  @Moment('When the period under way began, in which each percentage is told once.')
  readonly periodStart!: Date;

  @Moment('When it ends.')
  readonly periodEnd!: Date;

  @Counts('The percentages at which the organization is told.')
  readonly alertPercents!: number[];

  @Counts('Those of them that were told in this period.')
  readonly alerted!: number[];
}

@ObjectType({ description: 'A balance below which the organization is told.' })
export class LowBalance {
  @Text('The unit.')
  readonly unit!: string;

  @Exact('The balance.')
  readonly amount!: string;
}

@ObjectType({ description: 'Where and when an organization is told of its money.' })
export class AlertSettings {
  readonly __typename!: 'AlertSettings';

  @Text('The address that mails go to; null: none.', optional)
  readonly email!: string | null;

  @Of(() => [LowBalance], 'The balances below which it is told, one a unit.')
  readonly lowBalances!: LowBalance[];
}
