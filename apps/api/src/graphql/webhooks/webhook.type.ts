import { ObjectType } from '@nestjs/graphql';
import { connectionType } from '../shapes/connection.js';
import { Count, Flag, Moment, optional, Text, Texts } from '../shapes/field.js';
import { NodeObject } from '../shapes/node.type.js';

@ObjectType({ implements: () => [NodeObject], description: 'An address that the organization\'s events are sent to, signed. Its secret is shown once, where it is created.' })
export class WebhookEndpoint extends NodeObject {
  declare readonly __typename: 'WebhookEndpoint';

  @Text('The address.')
  readonly url!: string;

  @Texts('The kinds of events that it gets; null: all.', optional)
  readonly types!: string[] | null;

  @Flag('Whether events are sent to it.')
  readonly enabled!: boolean;

  @Moment('When it was created.')
  readonly createdAt!: Date;
}

@ObjectType({ implements: () => [NodeObject], description: 'One event on its way to one endpoint.' })
export class WebhookDelivery extends NodeObject {
  declare readonly __typename: 'WebhookDelivery';
  readonly organizationId!: string;
  readonly endpointId!: string | null;

  @Text('The kind of event, such as `key.created`.')
  readonly type!: string;

  @Text('`waiting`, `done`, or `dead` when it was given up.')
  readonly status!: string;

  @Count('How often it was sent.')
  readonly attempts!: number;

  @Moment('When the event happened.')
  readonly createdAt!: Date;

  @Moment('When it is sent next; null: no more.', optional)
  readonly nextAt!: Date | null;

  @Text('The failure of the last attempt.', optional)
  readonly lastError!: string | null;
}
export const WebhookDeliveryConnection = connectionType(WebhookDelivery, 'WebhookDelivery', 'webhook deliveries');
