import { Field, InputType, ObjectType } from '@nestjs/graphql';
import { connectionType } from '../shapes/connection.js';
import { Json, Moment, Of, optional, Text } from '../shapes/field.js';
import { NodeObject } from '../shapes/node.type.js';
import { DateTime } from '../shapes/scalars.js';
import { ActorInfo } from '../people/person.type.js';

@ObjectType({ implements: () => [NodeObject], description: 'Something that somebody did or looked at, in a chain of hashes.' })
export class AuditEntry extends NodeObject {
  declare readonly __typename: 'AuditEntry';
  readonly organizationId!: string;

  @Moment('When.')
  readonly at!: Date;

  @Of(() => ActorInfo, 'The one who did it.')
  readonly actor!: ActorInfo;

  @Text('The deed, such as `createApiKey`.')
  readonly action!: string;

  @Text('The kind of thing that it was done to, such as `api_key`.')
  readonly objectType!: string;

  @Text('The thing.', optional)
  readonly objectId!: string | null;

  @Json('Values before, without secrets and names.', optional)
  readonly before!: unknown;

  @Json('Values after, likewise.', optional)
  readonly after!: unknown;

  @Text('The address that it came from.', optional)
  readonly ip!: string | null;

  @Text('The request that did it.', optional)
  readonly requestId!: string | null;

  @Text('The hash of its link, in hexadecimal digits.')
  readonly hash!: string;
}
export const AuditEntryConnection = connectionType(AuditEntry, 'AuditEntry', 'entries of the audit log');

@InputType({ description: 'Narrows the audit log. A field that is left out narrows nothing.' })
export class AuditFilter {
  @Field(() => String, { nullable: true, description: 'By this person, token, job or login.' })
  readonly actorId?: string | null;

  @Field(() => String, { nullable: true, description: 'Of this deed; `apiKey.*` are all that begin so.' })
  readonly action?: string | null;

  @Field(() => String, { nullable: true, description: 'Done to this thing.' })
  readonly objectId?: string | null;

  @Field(() => DateTime, { nullable: true, description: 'From this moment on.' })
  readonly from?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Before this moment.' })
  readonly until?: Date | null;
}
