import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { getOrganization } from '@kilotoken/identity';
import { adjustGrant, grantSources, issueGrant, listGrants, refundGrant, transferGrant, type GrantBalance, type GrantRefund, type GrantSource } from '@kilotoken/ledger';
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

const againstOption = ['--against <account>', "the counter-account in the ledger (default: the grant's usual one)"] as const;

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
  readonly against?: string;
}

export const addGrantCommands = (grants: Command, context: Context): void => {
  addCommand(grants, 'issue', 'issue a grant that an organization can spend, once per source and reference', async (command) => {
    const options = command.opts<IssueOptions>();
    const { id: organizationId } = await getOrganization(context.reader, options.org);
    const now = await context.now();
    const scopeModels = options.models === undefined ? null : parseNames('--models', options.models);
    await warnOfMissingModels(command, context, scopeModels);
    const terms = {
      organizationId,
      unit: options.unit,
      amount: options.amount,
      // Checked by issueGrant.
      source: options.source as GrantSource,
      reference: options.reference ?? `kt-${randomUUID()}`,
      priority: parseWhole('--priority', options.priority),
      scopeModels,
      effectiveAt: options.effective === undefined ? null : parseMoment('--effective', options.effective, now),
      expiresAt: options.expires === undefined ? null : parseMoment('--expires', options.expires, now),
      counterAccount: options.against ?? null,
    };
    const grant = await context.change(terms.organizationId, (db) => issueGrant(db, terms));
    context.printRow(command, grantRow(grant));
  })
    .requiredOption(...organizationOption)
    .requiredOption('--amount <decimal>', 'the amount, such as 10 or 0.000000000001')
    .option('--unit <unit>', 'a currency or a pack unit', 'USD')
    .option('--source <source>', grantSources.join(', '), 'prepaid')
    .option('--reference <text>', 'its purpose, such as an order; repeating the command with it issues nothing twice (default: a new one each time)')
    .option('--priority <number>', 'grants with a lower number are spent first', '100')
    .option('--models <ids>', 'the models that it pays for, separated by commas (default: all)')
    .option('--effective <when>', 'start: a moment, a day or a span (default: now)')
    .option('--expires <when>', 'end: a moment, a day or a span such as 30d (default: never)')
    .option(...againstOption);

  addCommand(grants, 'list', 'show the grants of an organization, in the order of spending', async (command) => {
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
  readonly amount?: string;
  readonly against?: string;
}

/** Changes of a grant after its issue, each applied once per reference. */
const addGrantChangeCommands = (grants: Command, context: Context): void => {
  const readChange = async ({ org, grant, reference, reason }: ChangeOptions) => {
    const { id: organizationId } = await getOrganization(context.reader, org);
    return { organizationId, grantId: grant, reference, reason };
  };
  const addOptions = (command: Command): Command =>
    command
      .requiredOption(...organizationOption)
      .requiredOption('--grant <id>', 'the grant')
      .requiredOption('--reference <text>', 'the ticket, order or payment behind it; repeating the command with it changes nothing twice')
      .requiredOption('--reason <text>', 'the reason, recorded in the ledger');

  const refund = addCommand(grants, 'refund', 'refund part of a grant, or close it and refund the rest', async (command) => {
    const options = command.opts<ChangeOptions>();
    const request = { ...(await readChange(options)), amount: options.amount ?? null, counterAccount: options.against ?? null };
    const refunded = await context.change(request.organizationId, (db) => refundGrant(db, request));
    context.printRow(command, { grantId: refunded.grantId, reference: refunded.reference, ...refundFields(refunded) });
    if (!refunded.hasEnded) context.say(command, 'Gateways still lease part of the grant and were asked to return it. The refund continues as they do; repeat this command to see its progress.');
  });
  addOptions(refund).option('--amount <decimal>', 'such as 5 (default: the rest, which closes the grant)').option(...againstOption);

  const adjust = addCommand(grants, 'adjust', 'add to a grant, or subtract from its available amount', async (command) => {
    const { amount = '', against = null, ...options } = command.opts<ChangeOptions>();
    const adjustment = { ...(await readChange(options)), amount, counterAccount: against };
    const adjusted = await context.change(adjustment.organizationId, (db) => adjustGrant(db, adjustment));
    context.printRow(command, grantRow(adjusted));
  });
  addOptions(adjust).requiredOption('--amount <decimal>', 'such as 5 or -0.25').option(...againstOption);

  const transfer = addCommand(grants, 'transfer', 'move an available amount of a grant to another organization of the same account tree', async (command) => {
    const { to, amount = '', ...options } = command.opts<ChangeOptions & { to: string }>();
    const { id: toOrganizationId } = await getOrganization(context.reader, to);
    const request = { ...(await readChange(options)), toOrganizationId, amount };
    const transferred = await context.change(request.organizationId, (db) => transferGrant(db, request));
    context.printRow(command, { ...transferred, amount: formatMoney(transferred.amount) });
  });
  addOptions(transfer).requiredOption('--to <slug, name or id>', 'the organization that receives it').requiredOption('--amount <decimal>', 'such as 5');
};

/** A refund of the rest is paid in one amount when it completes; a partial refund may be paid in several. */
const refundFields = ({ asked, refunded, hasEnded }: GrantRefund): Row => {
  if (asked === null) return { status: hasEnded ? 'refunded' : 'closing', refunded: hasEnded ? formatMoney(refunded) : null };
  return { status: hasEnded ? 'refunded' : 'waiting', asked: formatMoney(asked), refunded: formatMoney(refunded) };
};
