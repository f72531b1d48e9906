import { Inject } from '@nestjs/common';
import { Args, Context, InputType, Mutation, ObjectType, Resolver } from '@nestjs/graphql';
import { createWebhookEndpoint, removeWebhookEndpoint, rotateWebhookSecret, WebhookGuard } from '@kilotoken/events';
import type { Keyring } from '@kilotoken/platform';
import { keyring } from '../../sign-in/sign-in.module.js';
import { Operation } from '../operation/operation.js';
import { ChangeInput } from '../shapes/change-input.js';
import { Id, Of, optional, Text, Texts } from '../shapes/field.js';
import { Done, done, placeOf, resultUnion } from '../shapes/problem.type.js';
import { endpointsOf } from './webhook.resolver.js';
import { WebhookEndpoint } from './webhook.type.js';

@ObjectType({ description: 'An endpoint with the secret that signs its events, which nobody can show again.' })
class CreatedWebhookEndpoint {
  readonly __typename!: 'CreatedWebhookEndpoint';

  @Of(() => WebhookEndpoint, 'The endpoint.')
  readonly endpoint!: WebhookEndpoint;

  @Text('The secret. Keep it; it is shown this once.')
  readonly secret!: string;
}

@InputType({ description: 'A new endpoint.' })
export class CreateWebhookEndpointInput extends ChangeInput {
  @Id('The organization.')
  readonly organizationId!: string;

  @Text('Its address, reached by https.')
  readonly url!: string;

  @Texts('The kinds of events that it gets; all if left out.', optional)
  readonly types?: string[] | null;
}
const CreateWebhookEndpointResult = resultUnion('CreateWebhookEndpointResult', CreatedWebhookEndpoint);

@InputType({ description: 'The endpoint to remove.' })
export class RemoveWebhookEndpointInput extends ChangeInput {
  @Id('The endpoint.')
  readonly id!: string;
}
const RemoveWebhookEndpointResult = resultUnion('RemoveWebhookEndpointResult', Done);

@InputType({ description: 'The endpoint that gets a new secret.' })
export class RollWebhookSecretInput extends ChangeInput {
  @Id('The endpoint.')
  readonly id!: string;
}
const RollWebhookSecretResult = resultUnion('RollWebhookSecretResult', CreatedWebhookEndpoint);

@Resolver()
export class WebhookChangesResolver {
  constructor(
    private readonly guard: WebhookGuard,
    @Inject(keyring) private readonly keys: Keyring,
  ) {}

  @Mutation(() => CreateWebhookEndpointResult, { description: "Sends the organization's events to an address from now on. The secret is shown once, here." })
  createWebhookEndpoint(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: CreateWebhookEndpointInput) {
    return operation.change('createWebhookEndpoint', input, async (changes) => {
      const { id: organizationId } = placeOf('Organization', input.organizationId);
      operation.require('webhooks.write', organizationId);
      const { id, secret } = await changes.throughPool(organizationId, (pool) => createWebhookEndpoint(pool, this.keys, this.guard, { organizationId, url: input.url, kinds: (input.types ?? null) as never }));
      return { __typename: 'CreatedWebhookEndpoint', endpoint: await this.find(operation, organizationId, id), secret };
    });
  }

  @Mutation(() => RemoveWebhookEndpointResult, { description: 'Sends no more events to an endpoint, and forgets its secrets.' })
  removeWebhookEndpoint(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: RemoveWebhookEndpointInput) {
    return operation.change('removeWebhookEndpoint', input, async (changes) => {
      const { organizationId, id } = placeOf('WebhookEndpoint', input.id);
      operation.require('webhooks.write', organizationId);
      await changes.throughPool(organizationId, (pool) => removeWebhookEndpoint(pool, { organizationId, id }));
      return done;
    });
  }

  @Mutation(() => RollWebhookSecretResult, { description: 'Makes a new secret of an endpoint; the old one signs too for a day.' })
  rollWebhookSecret(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: RollWebhookSecretInput) {
    return operation.change('rollWebhookSecret', input, async (changes) => {
      const { organizationId, id } = placeOf('WebhookEndpoint', input.id);
      operation.require('webhooks.write', organizationId);
      const { secret } = await changes.throughPool(organizationId, (pool) => rotateWebhookSecret(pool, this.keys, { organizationId, id }));
      return { __typename: 'CreatedWebhookEndpoint', endpoint: await this.find(operation, organizationId, id), secret };
    });
  }

  private async find(operation: Operation, organizationId: string, id: string): Promise<WebhookEndpoint> {
    const found = (await endpointsOf(operation, organizationId)).find((one) => one.id === id);
    if (!found) throw new Error(`the endpoint ${id} was changed and cannot be read`);
    return found.endpoint;
  }
}
