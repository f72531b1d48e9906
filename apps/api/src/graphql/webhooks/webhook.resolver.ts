import { Args, Context, ID, Parent, ResolveField, Resolver } from '@nestjs/graphql';
import { Operation } from '../operation/operation.js';
import { Organization } from '../organizations/organization.type.js';
import { badInput, connectionOf, PageArgs, readPage, type Connection } from '../shapes/connection.js';
import { readIdOf } from '../shapes/global-id.js';
import { listDeliveryRows, listEndpoints, toDelivery, toEndpoint } from './webhook.store.js';
import { WebhookDelivery, WebhookDeliveryConnection, WebhookEndpoint } from './webhook.type.js';

export const endpointsOf = async (operation: Operation, organizationId: string): Promise<{ id: string; endpoint: WebhookEndpoint }[]> => {
  const rows = await operation.readingOf(organizationId, 'webhooks.read', 'staff.operations.read').load('webhook endpoints', null, organizationId, listEndpoints);
  return rows.map((row) => ({ id: row.id, endpoint: toEndpoint(row) }));
};

@Resolver(() => Organization)
export class OrganizationWebhooksResolver {
  @ResolveField(() => [WebhookEndpoint], { description: 'The addresses that its events are sent to, the oldest first.' })
  async webhookEndpoints(@Context('operation') operation: Operation, @Parent() { organizationId }: Organization): Promise<WebhookEndpoint[]> {
    return (await endpointsOf(operation, organizationId)).map(({ endpoint }) => endpoint);
  }

  @ResolveField(() => WebhookDeliveryConnection, { description: 'Its events on their way to endpoints, the newest first.' })
  async webhookDeliveries(
    @Context('operation') operation: Operation,
    @Parent() { organizationId }: Organization,
    @Args() args: PageArgs,
    @Args('endpointId', { type: () => ID, nullable: true, description: 'To this endpoint.' }) endpointId: string | null,
  ): Promise<Connection<WebhookDelivery>> {
    const reading = operation.readingOf(organizationId, 'webhooks.read', 'staff.operations.read');
    const page = readPage(args, ['uuid']);
    const endpoint = endpointId == null ? null : readIdOf('WebhookEndpoint', endpointId);
    if (endpointId != null && endpoint?.organizationId !== organizationId) throw badInput('endpointId: the id of an endpoint of the organization is needed');
    const wanted = endpoint?.id ?? null;
    const rows = await reading.load('webhook deliveries', { page, wanted }, organizationId, (db, ids) => listDeliveryRows(db, ids, page, wanted));
    return connectionOf(rows, page, ({ id }) => [id], toDelivery);
  }
}

@Resolver(() => WebhookDelivery)
export class WebhookDeliveryResolver {
  @ResolveField(() => WebhookEndpoint, { nullable: true, description: 'The endpoint; null where it was removed since.' })
  async endpoint(@Context('operation') operation: Operation, @Parent() { organizationId, endpointId }: WebhookDelivery): Promise<WebhookEndpoint | null> {
    return (await endpointsOf(operation, organizationId)).find(({ id }) => id === endpointId)?.endpoint ?? null;
  }
}
