import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { getOrganization } from '@kilotoken/identity';
import { describeImbalance, grantSources, issueGrant, listBalances, listGrants, verifyBalanced, type GrantBalance, type GrantSource } from '@kilotoken/ledger';
import { formatMoney } from '@kilotoken/money';
import { AppError } from '@kilotoken/platform';
import { parseMoment, parseNames, parseWhole } from './arguments.js';
import { addCommand, iso, type Context } from './context.js';
import { organizationOption } from './organizations.js';
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

export const addGrantCommands = (program: Command, context: Context): void => {
  const grants = program.command('grants').description('grants: what an organization may spend');
  addCommand(grants, 'issue', 'give an organization an amount to spend, once per source and reference', async (command) => {
    const options = command.opts<IssueOptions>();
    const { id: organizationId } = await getOrganization(context.prisma, options.org);
    const now = await context.now();
    const grant = await issueGrant(context.prisma, {
      organizationId,
      unit: options.unit,
      amount: options.amount,
      // The service refuses what is none.
      source: options.source as GrantSource,
      reference: options.reference ?? `kt-${randomUUID()}`,
      priority: parseWhole('--priority', options.priority),
      scopeModels: options.models === undefined ? null : parseNames('--models', options.models),
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
    const { id } = await getOrganization(context.prisma, command.opts<{ org: string }>().org);
    const rows = (await listGrants(context.prisma, id)).map(grantRow);
    const amounts = { granted: 'GRANTED', available: 'AVAILABLE', held: 'HELD', used: 'USED', removed: 'REMOVED' };
    const columns = { source: 'SOURCE', unit: 'UNIT', ...amounts, expiresAt: 'EXPIRES', id: 'ID' };
    context.printRows(command, rows, { columns, nothing: 'The organization has no grants yet.' });
  }).requiredOption(...organizationOption);
};

export const addLedgerCommands = (program: Command, context: Context): void => {
  const ledger = program.command('ledger').description('the double-entry ledger behind the grants');
  addCommand(ledger, 'balances', 'show what accounts stand at: debits less credits', async (command) => {
    const { org } = command.opts<{ org?: string }>();
    const organizationId = org === undefined ? null : (await getOrganization(context.prisma, org)).id;
    const rows = (await listBalances(context.prisma, organizationId)).map(({ account, unit, balance }) => ({ account, unit, balance: formatMoney(balance) }));
    context.printRows(command, rows, { columns: { account: 'ACCOUNT', unit: 'UNIT', balance: 'BALANCE' }, nothing: 'Nothing was posted yet.' });
  }).option(organizationOption[0], 'of one organization (all together, if left out)');

  addCommand(ledger, 'verify', 'prove that every transaction sums to zero in each unit', async (command) => {
    const { transactions, postings, imbalances } = await verifyBalanced(context.prisma);
    context.printRow(command, {
      transactions: String(transactions),
      postings: String(postings),
      balanced: imbalances.length === 0,
      imbalances: imbalances.map(({ sum, ...place }) => ({ ...place, sum: formatMoney(sum) })),
    });
    if (imbalances.length > 0) {
      throw new AppError({ code: 'ledger_unbalanced', kind: 'conflict', publicMessage: `The ledger is not balanced:\n${imbalances.map(describeImbalance).join('\n')}` });
    }
  });
};
