import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { getOrganization } from '@kilotoken/identity';
import { adjustGrant, grantSources, issueGrant, listGrants, refundGrant, type GrantBalance, type GrantSource } from '@kilotoken/ledger';
import { formatMoney } from '@kilotoken/money';
import { parseMoment, parseNames, parseWhole } from './arguments.js';
import { addCommand, iso, organizationOption, type Context } from './context.js';
import { warnOfMissingModels } from './missing-models.js';
import type { Row } from './output.js';

const grantRow = (grant: GrantBalance): Row => ({
  id: grant.id,
  source: grant.source,
  unit: grant.unit,
  reference: grant.reference,
  priority: grant.priority,
  models: grant.scopeModels,
  granted: formatMoney(grant.granted),
  removed: formatMoney(grant.removed),
  available: formatMoney(grant.available),
  held: formatMoney(grant.held),
  used: formatMoney(grant.used),
  effectiveAt: iso(grant.effectiveAt),
  expiresAt: iso(grant.expiresAt),
  createdAt: iso(grant.createdAt),
});

interface IssueOptions {
  readonly org: string;
  readonly amount: string;
  readonly unit: string;
  readonly source: string;
  readonly reference?: string;
  readonly priority: string;
  readonly models?: string;
  readonly effective?: string;
  readonly expires?: string;
}

export const addGrantCommands = (grants: Command, context: Context): void => {
  addCommand(grants, 'issue', 'give an organization an amount to spend, once per source and reference', async (command) => {
    const options = command.opts<IssueOptions>();
    const { id: organizationId } = await getOrganization(context.reader, options.org);
    const now = await context.now();
    const scopeModels = options.models === undefined ? null : parseNames('--models', options.models);
    await warnOfMissingModels(command, context, scopeModels);
    const grant = await issueGrant(await context.prisma(), {
      organizationId,
      unit: options.unit,
      amount: options.amount,
      // The service refuses what is none.
      source: options.source as GrantSource,
      reference: options.reference ?? `kt-${randomUUID()}`,
      priority: parseWhole('--priority', options.priority),
      scopeModels,
      effectiveAt: options.effective === undefined ? null : parseMoment('--effective', options.effective, now),
      expiresAt: options.expires === undefined ? null : parseMoment('--expires', options.expires, now),
    });
    context.printRow(command, grantRow(grant));
  })
    .requiredOption(...organizationOption)
    .requiredOption('--amount <decimal>', 'such as 10 or 0.000000000001')
    .option('--unit <unit>', 'a currency or a pack unit', 'USD')
    .option('--source <source>', grantSources.join(', '), 'prepaid')
    .option('--reference <text>', 'what it is for, such as an order; issuing it again is then harmless (new each time, if left out)')
    .option('--priority <number>', 'lower ones are spent first', '100')
    .option('--models <ids>', 'the models that it pays for, with commas between them (all, if left out)')
    .option('--effective <when>', 'from when: a moment, a day or a span (at once, if left out)')
    .option('--expires <when>', 'until when: a moment, a day or a span such as 30d (for ever, if left out)');

  addCommand(grants, 'list', 'show the grants of an organization in the order in which they are spent', async (command) => {
    const { id } = await getOrganization(context.reader, command.opts<{ org: string }>().org);
    const rows = (await listGrants(context.reader, id)).map(grantRow);
    const amounts = { granted: 'GRANTED', available: 'AVAILABLE', held: 'HELD', used: 'USED', removed: 'REMOVED' };
    const columns = { source: 'SOURCE', unit: 'UNIT', ...amounts, expiresAt: 'EXPIRES', id: 'ID' };
    context.printRows(command, rows, { columns, nothing: 'The organization has no grants yet.' });
  }).requiredOption(...organizationOption);
  addGrantChangeCommands(grants, context);
};

interface ChangeOptions {
  readonly org: string;
  readonly grant: string;
  readonly reference: string;
  readonly reason: string;
}

/** What a person changes on a grant later, each once per reference. */
const addGrantChangeCommands = (grants: Command, context: Context): void => {
  const change = async ({ org, grant, reference, reason }: ChangeOptions) => {
    const { id: organizationId } = await getOrganization(context.reader, org);
    return { organizationId, grantId: grant, reference, reason };
  };
  const addOptions = (command: Command): Command =>
    command
      .requiredOption(...organizationOption)
      .requiredOption('--grant <id>', 'the grant')
      .requiredOption('--reference <text>', 'what it is done for, such as a ticket; doing it again is then harmless')
      .requiredOption('--reason <text>', 'why, for whoever reads the books');

  const refund = addCommand(grants, 'refund', 'close a grant and refund what remains of it', async (command) => {
    const { refunded, ...request } = await refundGrant(await context.prisma(), await change(command.opts<ChangeOptions>()));
    context.printRow(command, { ...request, status: refunded === null ? 'closing' : 'refunded', refunded: refunded === null ? null : formatMoney(refunded) });
    if (refunded === null) context.say(command, 'Gateways still hold some of it and are asked for it. It is refunded when they have returned it; this command again shows whether it was.');
  });
  addOptions(refund);

  const adjust = addCommand(grants, 'adjust', 'add to a grant, or take from what it has available', async (command) => {
    const options = command.opts<ChangeOptions & { amount: string }>();
    context.printRow(command, grantRow(await adjustGrant(await context.prisma(), { ...(await change(options)), amount: options.amount })));
  });
  addOptions(adjust).requiredOption('--amount <decimal>', 'such as 5 or -0.25');
};
