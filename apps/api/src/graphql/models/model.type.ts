import { ObjectType } from '@nestjs/graphql';
import { Count, Exact, Of, Text, Texts } from '../shapes/field.js';

@ObjectType({ description: 'The price of one class of tokens.' })
export class ModelPrice {
  @Text('The class of tokens, such as `input` or `cached_read`.')
  readonly class!: string;

  @Exact('The price of `per` tokens.')
  readonly amount!: string;

  @Text('The currency.')
  readonly currency!: string;

  @Count('How many tokens the amount is for.')
  readonly per!: number;
}

@ObjectType({ description: 'A model that is for sale.' })
export class Model {
  @Text('Its id, as requests name it.')
  readonly id!: string;

  @Count('How many tokens prompt and answer have together at most.')
  readonly contextWindow!: number;

  @Count('How many tokens an answer has at most.')
  readonly maxOutputTokens!: number;

  @Texts('The things that one of its lanes can do, such as `tools` or `vision`.')
  readonly capabilities!: string[];

  @Of(() => [ModelPrice], 'Its prices now. A class that is missing has no price.')
  readonly prices!: ModelPrice[];
}
