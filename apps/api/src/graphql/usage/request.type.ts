import { Field, ID, InputType, ObjectType } from '@nestjs/graphql';
import { connectionType } from '../shapes/connection.js';
import { Count, Exact, Flag, Id, Json, Moment, Of, optional, Text } from '../shapes/field.js';
import { NodeObject } from '../shapes/node.type.js';
import { DateTime } from '../shapes/scalars.js';

@ObjectType({ description: 'Tokens of one class.' })
export class TokenCount {
  @Text('The class, such as `input` or `cached_read`.')
  readonly class!: string;

  @Exact('How many.')
  readonly tokens!: bigint;
}

@ObjectType({ description: 'An amount of a unit.' })
export class Charge {
  @Text('The unit.')
  readonly unit!: string;

  @Exact('The amount.')
  readonly amount!: string;
}

@ObjectType({ description: 'One line of the arithmetic: tokens × price ÷ per, rounded half to even at the 12th decimal.' })
export class ChargeLine {
  @Text('The class of tokens.')
  readonly class!: string;

  @Exact('How many.')
  readonly tokens!: bigint;

  @Text('The unit that pays this line.')
  readonly unit!: string;

  @Exact('The price, or the weight in a package, of `per` tokens.')
  readonly price!: string;

  @Exact('How many tokens the price is for.')
  readonly per!: bigint;

  @Exact('The amount of the line.')
  readonly amount!: string;

  @Text('The line as a person writes it: `1200 × 0.15 ÷ 1000000 = 0.00018`.')
  readonly formula!: string;
}

@ObjectType({ description: 'The part of a charge that one grant paid.' })
export class Allocation {
  readonly organizationId!: string;

  @Id('The id of the grant.')
  readonly grantId!: string;

  @Text('The unit.')
  readonly unit!: string;

  @Exact('How many tokens it paid for, where the charge is split.', optional)
  readonly tokens!: bigint | null;

  @Exact('The amount.')
  readonly amount!: string;
}

@ObjectType({ description: 'One try of one lane.' })
export class Attempt {
  @Count('From 0; the last one carries the charge.')
  readonly attempt!: number;

  @Text('How it ended, such as `completed`.')
  readonly outcome!: string;

  @Count('The HTTP status.')
  readonly status!: number;

  @Text('The code of its error.', optional)
  readonly errorCode!: string | null;

  @Id("The lane; the company's staff only.", optional)
  readonly lane!: string | null;

  @Moment('When it was admitted.')
  readonly admittedAt!: Date;

  @Moment('When it ended.')
  readonly finishedAt!: Date;
}

@ObjectType({ implements: () => [NodeObject], description: 'One request to the gateway that has settled: its tokens, its charge and the whole arithmetic.' })
export class Request extends NodeObject {
  declare readonly __typename: 'Request';
  readonly organizationId!: string;
  readonly usageId!: string;
  readonly projectId!: string;
  readonly apiKeyId!: string;

  @Text('The id that the gateway answered in `x-request-id`.')
  readonly requestId!: string;

  @Text('The model that was asked for.')
  readonly model!: string;

  @Text('The operation, such as `chat`.')
  readonly operation!: string;

  @Text('How it ended, such as `completed`, `client_aborted` or `failed`.')
  readonly outcome!: string;

  @Count('The HTTP status.')
  readonly status!: number;

  @Text('The code of its error.', optional)
  readonly errorCode!: string | null;

  @Text('Why the answer ended.', optional)
  readonly finishReason!: string | null;

  @Flag('Whether it was streamed.')
  readonly stream!: boolean;

  @Text('The `user` that the request named.', optional)
  readonly endUser!: string | null;

  @Json('The tags that the request carried.', optional)
  readonly tags!: unknown;

  @Exact('Tokens of the prompt, cached ones included.')
  readonly inputTokens!: bigint;

  @Exact('Tokens of the answer.')
  readonly outputTokens!: bigint;

  @Of(() => [TokenCount], 'Tokens by class.')
  readonly counts!: TokenCount[];

  @Flag('Whether the tokens were counted by us, since the vendor gave no count.')
  readonly estimated!: boolean;

  @Of(() => [Charge], 'The charge, by unit.')
  readonly charges!: Charge[];

  @Exact('The amount that was set aside for it in the currency of its price.')
  readonly hold!: string;

  @Moment('When it was admitted.')
  readonly admittedAt!: Date;

  @Moment('When its first token left.', optional)
  readonly firstTokenAt!: Date | null;

  @Moment('When it ended.', optional)
  readonly finishedAt!: Date | null;

  @Moment('When it was committed.')
  readonly settledAt!: Date;

  @Of(() => [Allocation], 'The grants that paid, in the order of burning.')
  readonly allocations!: Allocation[];

  @Id("The lane that answered; the company's staff only.", optional)
  readonly lane!: string | null;

  @Exact("Its cost to the company; the company's staff only.", optional)
  readonly cost!: string | null;

  @Text("The currency of the cost; the company's staff only.", optional)
  readonly costCurrency!: string | null;

  @Exact("The charge less the cost, where both are in one currency; the company's staff only.", optional)
  readonly margin!: string | null;
}
export const RequestConnection = connectionType(Request, 'Request', 'requests');

@InputType({ description: 'Narrows requests. A field that is left out narrows nothing.' })
export class RequestFilter {
  @Field(() => DateTime, { nullable: true, description: 'Admitted from this moment on.' })
  readonly from?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Admitted before this moment.' })
  readonly until?: Date | null;

  @Field(() => [String], { nullable: true, description: 'Of these models.' })
  readonly models?: string[] | null;

  @Field(() => ID, { nullable: true, description: 'Of this project.' })
  readonly projectId?: string | null;

  @Field(() => ID, { nullable: true, description: 'By this key.' })
  readonly apiKeyId?: string | null;

  @Field(() => String, { nullable: true, description: 'With this outcome.' })
  readonly outcome?: string | null;
}
