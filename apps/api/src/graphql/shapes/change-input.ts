import { InputType } from '@nestjs/graphql';
import { optional, Text } from './field.js';

/** The part of the input that every mutation has. */
@InputType({ isAbstract: true })
export class ChangeInput {
  @Text('A key of the caller\'s own: the same mutation under it again is answered as the first time, for a day.', optional)
  readonly idempotencyKey?: string | null;
}
