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

const againstOption = ['--against <account>', 'the account of the ledger that it is booked against (the usual one, if left out)'] as const;

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
  addCommand(grants, 'issue', 'give an organization an amount to spend, once per source and reference', async (command) => {
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
    .requiredOption('--amount <decimal>', 'such as 10 or 0.000000000001')
    .option('--unit <unit>', 'a currency or a pack unit', 'USD')
    .option('--source <source>', grantSources.join(', '), 'prepaid')
    .option('--reference <text>', 'what it is for, such as an order; issuing it again is then harmless (new each time, if left out)')
    .option('--priority <number>', 'lower ones are spent first', '100')
    .option('--models <ids>', 'the models that it pays for, with commas between them (all, if left out)')
    .option('--effective <when>', 'from when: a moment, a day or a span (at once, if left out)')
    .option('--expires <when>', 'until when: a moment, a day or a span such as 30d (for ever, if left out)')
    .option(...againstOption);

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
  readonly amount?: string;
  readonly against?: string;
}

/** Later changes of a grant, each once per reference. */
const addGrantChangeCommands = (grants: Command, context: Context): void => {
  const readChange = async ({ org, grant, reference, reason }: ChangeOptions) => {
    const { id: organizationId } = await getOrganization(context.reader, org);
    return { organizationId, grantId: grant, reference, reason };
  };
  const addOptions = (command: Command): Command =>
    command
      .requiredOption(...organizationOption)
      .requiredOption('--grant <id>', 'the grant')
      .requiredOption('--reference <text>', 'its ticket, order or payment; the same change again is then harmless')
      .requiredOption('--reason <text>', 'why, for whoever reads the books');

  const refund = addCommand(grants, 'refund', 'refund an amount of a grant, or close it and refund the rest', async (command) => {
    const options = command.opts<ChangeOptions>();
    const request = { ...(await readChange(options)), amount: options.amount ?? null, counterAccount: options.against ?? null };
    const refunded = await context.change(request.organizationId, (db) => refundGrant(db, request));
    context.printRow(command, { grantId: refunded.grantId, reference: refunded.reference, ...refundFields(refunded) });
    if (!refunded.hasEnded) context.say(command, 'Gateways still hold some of the grant and are asked for it. The refund goes on as they return it; this command again shows how far it is.');
  });
  addOptions(refund).option('--amount <decimal>', 'such as 5 (all that remains, which closes the grant, if left out)').option(...againstOption);

  const adjust = addCommand(grants, 'adjust', 'add to a grant, or take from what it has available', async (command) => {
    const { amount = '', against = null, ...options } = command.opts<ChangeOptions>();
    const adjustment = { ...(await readChange(options)), amount, counterAccount: against };
    const adjusted = await context.change(adjustment.organizationId, (db) => adjustGrant(db, adjustment));
    context.printRow(command, grantRow(adjusted));
  });
  addOptions(adjust).requiredOption('--amount <decimal>', 'such as 5 or -0.25').option(...againstOption);

  const transfer = addCommand(grants, 'transfer', 'give an available amount of a grant to another organization of the account tree', async (command) => {
    const { to, amount = '', ...options } = command.opts<ChangeOptions & { to: string }>();
    const { id: toOrganizationId } = await getOrganization(context.reader, to);
    const request = { ...(await readChange(options)), toOrganizationId, amount };
    const transferred = await context.change(request.organizationId, (db) => transferGrant(db, request));
    context.printRow(command, { ...transferred, amount: formatMoney(transferred.amount) });
  });
  addOptions(transfer).requiredOption('--to <slug, name or id>', 'the organization that receives it').requiredOption('--amount <decimal>', 'such as 5');
};

/** A refund of the rest is one amount at its end; a refund of a part may come in several. */
const refundFields = ({ asked, refunded, hasEnded }: GrantRefund): Row => {
  if (asked === null) return { status: hasEnded ? 'refunded' : 'closing', refunded: hasEnded ? formatMoney(refunded) : null };
  return { status: hasEnded ? 'refunded' : 'waiting', asked: formatMoney(asked), refunded: formatMoney(refunded) };
};
