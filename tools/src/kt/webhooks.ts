import type { Command } from 'commander';
import { eventNames } from '@kilotoken/contracts';
import {
  createWebhookEndpoint,
  disableWebhookEndpoint,
  enableWebhookEndpoint,
  listDeliveries,
  listWebhookEndpoints,
  removeWebhookEndpoint,
  replayDeliveries,
  rotateWebhookSecret,
  WebhookGuard,
  type Delivery,
  type DeliveryQueue,
  type WebhookEndpoint,
  type WebhookEndpointWithSecret,
} from '@kilotoken/events';
import { getOrganization } from '@kilotoken/identity';
import { parseNames, parseSpan } from './arguments.js';
import { addCommand, addPageOptions, iso, organizationOption, readPage, type Context } from './context.js';
import type { Row, Value } from './output.js';

const endpointRow = (endpoint: WebhookEndpoint): Row => ({
  id: endpoint.id,
  url: endpoint.url,
  description: endpoint.description,
  kinds: endpoint.kinds,
  status: endpoint.status,
  failingSince: iso(endpoint.failingSince),
  disabledAt: iso(endpoint.disabledAt),
  createdAt: iso(endpoint.createdAt),
});

const deliveryRow = (delivery: Delivery): Row => ({
  id: delivery.id,
  queue: delivery.queue,
  event: delivery.eventId,
  kind: delivery.kind,
  sequence: String(delivery.sequence),
  to: delivery.to,
  status: delivery.status,
  attempts: delivery.attempts,
  attemptsMax: delivery.attemptsMax,
  outcome: delivery.outcome as Value,
  nextAt: iso(delivery.nextAt),
  createdAt: iso(delivery.createdAt),
  finishedAt: iso(delivery.finishedAt),
});

export const addWebhookCommands = (webhooks: Command, context: Context): void => {
  const organizationIdOf = async (command: Command) => (await getOrganization(context.reader, command.opts<{ org: string }>().org)).id;
  const placeOf = async (command: Command) => ({ organizationId: await organizationIdOf(command), id: (command.processedArgs as [string])[0] });
  const printWithSecret = (command: Command, { secret, ...endpoint }: WebhookEndpointWithSecret): void => {
    context.say(command, 'Copy the secret now: it is not shown again.\n');
    context.printRow(command, { secret, ...endpointRow(endpoint) });
  };

  addCommand(webhooks, 'add', 'send events to an address from now on; the signing secret is shown once', async (command) => {
    const { url, kinds, description } = command.opts<{ url: string; kinds?: string; description?: string }>();
    const guard = new WebhookGuard({ allowPrivate: context.allowPrivateWebhooks });
    const organizationId = await organizationIdOf(command);
    const asked = kinds === undefined ? null : parseNames('--kinds', kinds);
    printWithSecret(command, await createWebhookEndpoint(context.pool, context.keyring(), guard, { organizationId, url, kinds: asked, ...(description === undefined ? {} : { description }) }));
  })
    .requiredOption(...organizationOption)
    .requiredOption('--url <https://…>', 'the address that receives events')
    .option('--kinds <kinds>', `the events to send, separated by commas, of ${eventNames.join(', ')} (default: all)`)
    .option('--description <text>', 'a note on its purpose');

  addCommand(webhooks, 'list', 'show the endpoints of an organization', async (command) => {
    const rows = (await listWebhookEndpoints(context.pool, await organizationIdOf(command))).map(endpointRow);
    const columns = { url: 'URL', kinds: 'EVENTS', status: 'STATUS', failingSince: 'FAILING SINCE', id: 'ID' };
    context.printRows(command, rows, { columns, nothing: 'The organization has no webhook endpoints yet.' });
  }).requiredOption(...organizationOption);

  addCommand(webhooks, 'rotate <id>', 'create a new secret; the old one also signs for a while', async (command) => {
    const { overlap } = command.opts<{ overlap?: string }>();
    const overlapMs = overlap === undefined ? {} : { overlapMs: parseSpan('--overlap', overlap) };
    printWithSecret(command, await rotateWebhookSecret(context.pool, context.keyring(), { ...(await placeOf(command)), ...overlapMs }));
  })
    .requiredOption(...organizationOption)
    .option('--overlap <span>', 'how long the old secret still signs, up to 7d (default: 24h)');

  addCommand(webhooks, 'enable <id>', 'resume sending to an endpoint', async (command) => {
    context.printRow(command, endpointRow(await enableWebhookEndpoint(context.pool, await placeOf(command))));
  }).requiredOption(...organizationOption);

  addCommand(webhooks, 'disable <id>', 'stop sending to an endpoint', async (command) => {
    context.printRow(command, endpointRow(await disableWebhookEndpoint(context.pool, await placeOf(command))));
  }).requiredOption(...organizationOption);

  addCommand(webhooks, 'remove <id>', 'delete an endpoint and its secrets', async (command) => {
    const place = await placeOf(command);
    await removeWebhookEndpoint(context.pool, place);
    context.printRow(command, { id: place.id, status: 'removed' });
  }).requiredOption(...organizationOption);

  addDeliveryCommands(webhooks, context, organizationIdOf);
};

const addDeliveryCommands = (webhooks: Command, context: Context, organizationIdOf: (command: Command) => Promise<string>): void => {
  const list = addCommand(webhooks, 'deliveries', 'show deliveries, mails included: waiting, done or dead', async (command) => {
    const { status, endpoint, queue } = command.opts<{ status?: string; endpoint?: string; queue?: string }>();
    const filter = { ...(endpoint === undefined ? {} : { endpointId: endpoint }), ...(queue === undefined ? {} : { queue: queue as DeliveryQueue }) };
    // The library refuses an unknown status.
    const asked = status === undefined ? {} : { status: status as Delivery['status'] };
    const rows = (await listDeliveries(context.pool, { organizationId: await organizationIdOf(command), ...readPage(command), ...filter, ...asked })).map(deliveryRow);
    const columns = { sequence: 'NUMBER', kind: 'EVENT', to: 'TO', status: 'STATUS', attempts: 'ATTEMPTS', nextAt: 'NEXT', id: 'ID' };
    context.printRows(command, rows, { columns, nothing: 'No deliveries match.' });
  })
    .requiredOption(...organizationOption)
    .option('--status <status>', 'waiting, done or dead')
    .option('--queue <queue>', 'deliver-webhook or send-mail')
    .option('--endpoint <id>', 'to this endpoint only');
  addPageOptions(list, 'id');

  addCommand(webhooks, 'replay [id]', 'send one delivery again, or with --dead all dead ones; the event keeps its id', async (command) => {
    const [id] = command.processedArgs as [string | undefined];
    const { endpoint, dead = false } = command.opts<{ endpoint?: string; dead?: boolean }>();
    if ((id === undefined) === !dead) command.error('error: give the id of a delivery, or --dead');
    const filter = { ...(id === undefined ? {} : { id }), ...(endpoint === undefined ? {} : { endpointId: endpoint }) };
    const replayed = await replayDeliveries(context.pool, { organizationId: await organizationIdOf(command), ...filter });
    context.printRow(command, { replayed });
  })
    .requiredOption(...organizationOption)
    .option('--dead', 'all dead deliveries')
    .option('--endpoint <id>', 'to this endpoint only');
};
