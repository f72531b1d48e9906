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
    context.say(command, 'This is the only time that the secret is shown.\n');
    context.printRow(command, { secret, ...endpointRow(endpoint) });
  };

  addCommand(webhooks, 'add', 'send events to an address from now on; the secret that signs them is shown once', async (command) => {
    const { url, kinds, description } = command.opts<{ url: string; kinds?: string; description?: string }>();
    const guard = new WebhookGuard({ allowPrivate: context.allowPrivateWebhooks });
    const organizationId = await organizationIdOf(command);
    const asked = kinds === undefined ? null : parseNames('--kinds', kinds);
    printWithSecret(command, await createWebhookEndpoint(context.pool, guard, { organizationId, url, kinds: asked, ...(description === undefined ? {} : { description }) }));
  })
    .requiredOption(...organizationOption)
    .requiredOption('--url <https://…>', 'where to')
    .option('--kinds <kinds>', `which events, with commas between them, of ${eventNames.join(', ')} (all, if left out)`)
    .option('--description <text>', 'what it is for');

  addCommand(webhooks, 'list', 'show where events are sent', async (command) => {
    const rows = (await listWebhookEndpoints(context.pool, await organizationIdOf(command))).map(endpointRow);
    const columns = { url: 'URL', kinds: 'EVENTS', status: 'STATUS', failingSince: 'FAILING SINCE', id: 'ID' };
    context.printRows(command, rows, { columns, nothing: 'The organization has no webhook endpoints yet.' });
  }).requiredOption(...organizationOption);

  addCommand(webhooks, 'rotate <id>', 'make a new secret; the old one signs too for a while', async (command) => {
    const { overlap } = command.opts<{ overlap?: string }>();
    const overlapMs = overlap === undefined ? {} : { overlapMs: parseSpan('--overlap', overlap) };
    printWithSecret(command, await rotateWebhookSecret(context.pool, { ...(await placeOf(command)), ...overlapMs }));
  })
    .requiredOption(...organizationOption)
    .option('--overlap <span>', 'how long the old one still signs, up to 7d (24h, if left out)');

  addCommand(webhooks, 'enable <id>', 'send events there again', async (command) => {
    context.printRow(command, endpointRow(await enableWebhookEndpoint(context.pool, await placeOf(command))));
  }).requiredOption(...organizationOption);

  addCommand(webhooks, 'disable <id>', 'send no more events there', async (command) => {
    context.printRow(command, endpointRow(await disableWebhookEndpoint(context.pool, await placeOf(command))));
  }).requiredOption(...organizationOption);

  addCommand(webhooks, 'remove <id>', 'forget an address and its secrets', async (command) => {
    const place = await placeOf(command);
    await removeWebhookEndpoint(context.pool, place);
    context.printRow(command, { id: place.id, status: 'removed' });
  }).requiredOption(...organizationOption);

  addDeliveryCommands(webhooks, context, organizationIdOf);
};

const addDeliveryCommands = (webhooks: Command, context: Context, organizationIdOf: (command: Command) => Promise<string>): void => {
  const list = addCommand(webhooks, 'deliveries', 'show what was sent, is to be sent and was given up, mails too', async (command) => {
    const { status, endpoint, queue } = command.opts<{ status?: string; endpoint?: string; queue?: string }>();
    const filter = { ...(endpoint === undefined ? {} : { endpointId: endpoint }), ...(queue === undefined ? {} : { queue: queue as DeliveryQueue }) };
    // The service refuses what is no status.
    const asked = status === undefined ? {} : { status: status as Delivery['status'] };
    const rows = (await listDeliveries(context.pool, { organizationId: await organizationIdOf(command), ...readPage(command), ...filter, ...asked })).map(deliveryRow);
    const columns = { sequence: 'NUMBER', kind: 'EVENT', to: 'TO', status: 'STATUS', attempts: 'ATTEMPTS', nextAt: 'NEXT', id: 'ID' };
    context.printRows(command, rows, { columns, nothing: 'There are no such deliveries.' });
  })
    .requiredOption(...organizationOption)
    .option('--status <status>', 'waiting, done or dead')
    .option('--queue <queue>', 'deliver-webhook or send-mail')
    .option('--endpoint <id>', 'to this endpoint only');
  addPageOptions(list, 'id');

  addCommand(webhooks, 'replay [id]', 'send again: one delivery, or with --dead all that were given up; the event keeps its id', async (command) => {
    const [id] = command.processedArgs as [string | undefined];
    const { endpoint, dead = false } = command.opts<{ endpoint?: string; dead?: boolean }>();
    if ((id === undefined) === !dead) command.error('error: give the id of a delivery, or --dead');
    const filter = { ...(id === undefined ? {} : { id }), ...(endpoint === undefined ? {} : { endpointId: endpoint }) };
    const replayed = await replayDeliveries(context.pool, { organizationId: await organizationIdOf(command), ...filter });
    context.printRow(command, { replayed });
  })
    .requiredOption(...organizationOption)
    .option('--dead', 'all that were given up')
    .option('--endpoint <id>', 'to this endpoint only');
};
