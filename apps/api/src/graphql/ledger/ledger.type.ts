import { ObjectType } from '@nestjs/graphql';
import { connectionType } from '../shapes/connection.js';
import { Exact, Moment, Of, Text } from '../shapes/field.js';
import { NodeObject } from '../shapes/node.type.js';
import { Charge } from '../usage/request.type.js';

@ObjectType({ description: 'One line of a transaction. Lines of a transaction sum to zero in each unit.' })
export class LedgerPosting {
  @Text('The account.')
  readonly account!: string;

  @Text('The unit.')
  readonly unit!: string;

  @Exact('A debit above zero, a credit below.')
  readonly amount!: string;
}

@ObjectType({ implements: () => [NodeObject], description: "A balanced transaction in an organization's hash-chained ledger." })
export class LedgerTransaction extends NodeObject {
  declare readonly __typename: 'LedgerTransaction';
  readonly organizationId!: string;
  readonly transactionId!: string;

  @Text('Its kind, such as `grant_issued`.')
  readonly kind!: string;

  @Text('The thing that it books, once.')
  readonly sourceId!: string;

  @Moment('When it was posted.')
  readonly postedAt!: Date;

  @Exact("Its place in the organization's chain, from 1.")
  readonly position!: bigint;

  @Text('The hash of its link, in hexadecimal digits.')
  readonly hash!: string;
}
export const LedgerTransactionConnection = connectionType(LedgerTransaction, 'LedgerTransaction', 'ledger transactions');

@ObjectType({ description: 'An account of the chart, with its balances over all organizations.' })
export class LedgerAccount {
  @Text('Its name.')
  readonly name!: string;

  @Text('Asset, liability, revenue and so on.')
  readonly kind!: string;

  @Text('The money that stands there.')
  readonly meaning!: string;

  @Of(() => [Charge], 'Debits less credits, by unit.')
  readonly balances!: Charge[];
}
