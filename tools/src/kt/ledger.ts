import type { Command } from 'commander';
import { getOrganization } from '@kilotoken/identity';
import { describeBreak, describeImbalance, listAccounts, listBalances, verifyBalanced, verifyChains } from '@kilotoken/ledger';
import { formatMoney } from '@kilotoken/money';
import { AppError } from '@kilotoken/platform';
import { parseMoment } from './arguments.js';
import { addCommand, organizationOption, type Context } from './context.js';

export const addLedgerCommands = (ledger: Command, context: Context): void => {
  addCommand(ledger, 'balances', 'show the balances of accounts: debits less credits', async (command) => {
    const { org, at } = command.opts<{ org?: string; at?: string }>();
    const organizationId = org === undefined ? null : (await getOrganization(context.reader, org)).id;
    const moment = at === undefined ? null : parseMoment('--at', at, await context.now());
    const rows = (await listBalances(context.reader, organizationId, moment)).map(({ account, unit, balance }) => ({ account, unit, balance: formatMoney(balance) }));
    context.printRows(command, rows, { columns: { account: 'ACCOUNT', unit: 'UNIT', balance: 'BALANCE' }, nothing: 'There are no postings yet.' });
  })
    .option(organizationOption[0], 'of one organization (default: the sum of all)')
    .option('--at <when>', 'balances as of a moment such as 2027-01-31T18:00:00Z, or of the start of a day in UTC (default: now)');

  addCommand(ledger, 'accounts', 'show the chart of accounts', async (command) => {
    const rows = (await listAccounts(context.reader)).map((account) => ({ ...account }));
    context.printRows(command, rows, { columns: { name: 'ACCOUNT', kind: 'KIND', normalSide: 'SIDE', meaning: 'MEANING' }, nothing: 'There are no accounts.' });
  });

  addCommand(ledger, 'verify', 'prove that every transaction sums to zero in each unit and that none was changed or deleted', async (command) => {
    const { transactions, postings, imbalances } = await verifyBalanced(context.reader);
    const { organizations, links, breaks } = await verifyChains(context.reader);
    context.printRow(command, {
      transactions: String(transactions),
      postings: String(postings),
      balanced: imbalances.length === 0,
      imbalances: imbalances.map(({ sum, ...place }) => ({ ...place, sum: formatMoney(sum) })),
      chains: organizations,
      links: String(links),
      unbroken: breaks.length === 0,
      breaks: breaks.map((broken) => ({ ...broken, position: String(broken.position) })),
    });
    const findings = [
      ...(imbalances.length > 0 ? [`The ledger is not balanced:\n${imbalances.map(describeImbalance).join('\n')}`] : []),
      ...(breaks.length > 0 ? [`The ledger was changed:\n${breaks.map(describeBreak).join('\n')}`] : []),
    ];
    const code = imbalances.length > 0 ? 'ledger_unbalanced' : 'ledger_changed';
    if (findings.length > 0) throw new AppError({ code, kind: 'conflict', publicMessage: findings.join('\n') });
  });
};
