import { Args, Context, InputType, Mutation, ObjectType, Resolver } from '@nestjs/graphql';
import { Inject } from '@nestjs/common';
import { createSessionKey } from '@kilotoken/identity';
import { setLimit, type NewLimit } from '@kilotoken/quota';
import { Operation } from '../operation/operation.js';
import { ChangeInput } from '../shapes/change-input.js';
import { Id, Moment, Text } from '../shapes/field.js';
import { placeOf, resultUnion } from '../shapes/problem.type.js';

@ObjectType({ description: 'A key with which a page calls the gateway for a while, in the name of its viewer.' })
class PlaygroundKey {
  readonly __typename!: 'PlaygroundKey';

  @Text('Its text. A page keeps it in memory alone.')
  readonly secret!: string;

  @Moment('When it ends.')
  readonly expiresAt!: Date;

  @Text('Where the gateway is, such as `https://gateway.example.com/v1`.')
  readonly gatewayUrl!: string;
}

@InputType({ description: 'The project that the playground spends for.' })
export class OpenPlaygroundInput extends ChangeInput {
  @Id('The project.')
  readonly projectId!: string;
}
const OpenPlaygroundResult = resultUnion('OpenPlaygroundResult', PlaygroundKey);

const livesMs = 15 * 60_000;
/** Of one viewer and project, whatever number of keys they open. */
const playgroundLimits: readonly Pick<NewLimit, 'measure' | 'window' | 'amount'>[] = [
  { measure: 'concurrency', window: null, amount: '4' },
  { measure: 'requests', window: 60_000, amount: '60' },
  { measure: 'tokens', window: 'day', amount: '500000' },
];

export const gatewayUrl = Symbol('where browsers find the gateway');

@Resolver()
export class PlaygroundResolver {
  constructor(@Inject(gatewayUrl) private readonly url: string) {}

  @Mutation(() => OpenPlaygroundResult, { description: 'Makes a key of 15 minutes for the viewer and a project, limited in requests and tokens. An earlier one of theirs ends.' })
  openPlayground(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: OpenPlaygroundInput) {
    return operation.change('openPlayground', input, async (changes) => {
      const { organizationId, id: projectId } = placeOf('Project', input.projectId);
      operation.require('playground.use', organizationId);
      const { key, expiresAt } = await changes.throughClient(organizationId, async (client) => {
        const made = await createSessionKey(client, { organizationId, projectId, name: `playground ${operation.signedIn.id}`, livesMs });
        for (const limit of playgroundLimits) await setLimit(client, { organizationId, subject: { kind: 'key', keyId: made.id }, ...limit, mode: 'hard' });
        return made;
      });
      return { __typename: 'PlaygroundKey', secret: key, expiresAt, gatewayUrl: this.url };
    });
  }
}
