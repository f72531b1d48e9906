import { ObjectType, registerEnumType } from '@nestjs/graphql';
import { connectionType } from '../shapes/connection.js';
import { Moment, Of, optional, Text, Texts } from '../shapes/field.js';
import { NodeObject } from '../shapes/node.type.js';

@ObjectType({ implements: () => [NodeObject], description: 'A group of API keys, by which use is told apart.' })
export class Project extends NodeObject {
  declare readonly __typename: 'Project';
  readonly organizationId!: string;
  readonly projectId!: string;

  @Text('Its name, unique in the organization.')
  readonly name!: string;

  @Moment('When it was created.')
  readonly createdAt!: Date;

  @Moment('When it was archived; it takes no new keys then.', optional)
  readonly archivedAt!: Date | null;
}
export const ProjectConnection = connectionType(Project, 'Project', 'projects');

export enum ApiKeyState {
  ACTIVE = 'active',
  REVOKED = 'revoked',
  EXPIRED = 'expired',
}
registerEnumType(ApiKeyState, {
  name: 'ApiKeyState',
  description: 'Whether a key works.',
  valuesMap: { ACTIVE: { description: 'It works.' }, REVOKED: { description: 'Somebody ended it.' }, EXPIRED: { description: 'Its time is over.' } },
});

@ObjectType({ implements: () => [NodeObject], description: 'A key with which programs call the gateway. Its text is shown once, where it is created.' })
export class ApiKey extends NodeObject {
  declare readonly __typename: 'ApiKey';
  readonly organizationId!: string;
  readonly apiKeyId!: string;
  readonly projectId!: string;
  readonly lineageId!: string;

  @Text('The name that its maker gave it.')
  readonly name!: string;

  @Text('The beginning of its text, to tell keys apart.')
  readonly prefix!: string;

  @Of(() => ApiKeyState, 'Whether it works.')
  readonly state!: ApiKeyState;

  @Texts('The models that it may call; null: all.', optional)
  readonly allowedModels!: string[] | null;

  @Moment('When it was created.')
  readonly createdAt!: Date;

  @Moment('When it ends by itself; null: never.', optional)
  readonly expiresAt!: Date | null;

  @Moment('When it was revoked.', optional)
  readonly revokedAt!: Date | null;

  @Moment('When it was last used, some moments late.', optional)
  readonly lastUsedAt!: Date | null;
}
export const ApiKeyConnection = connectionType(ApiKey, 'ApiKey', 'API keys');
