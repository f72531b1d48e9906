import type { Command } from 'commander';
import { getNoticeSettings, setNotices, type NoticeSettings } from '@kilotoken/events';
import { getOrganization } from '@kilotoken/identity';
import { addCommand, organizationOption, type Context } from './context.js';
import type { Row } from './output.js';

const noticeRow = ({ email, thresholds }: NoticeSettings): Row => ({
  email,
  balanceLow: thresholds.map(({ unit, threshold, isLow }) => ({ unit, threshold, isLow })),
});

interface SetOptions {
  readonly org: string;
  /** False: `--no-email`. Commander gives true where neither is said. */
  readonly email: string | boolean;
  readonly balanceLow?: string;
  readonly unit: string;
}

export const addNoticeCommands = (notices: Command, context: Context): void => {
  addCommand(notices, 'set', 'say where mails go, and below which balance one is sent', async (command) => {
    const { org, email, balanceLow, unit } = command.opts<SetOptions>();
    const { id: organizationId } = await getOrganization(context.reader, org);
    const address = email === true ? {} : { email: email === false ? null : email };
    const threshold = balanceLow === undefined ? {} : { balanceLow: { unit, threshold: balanceLow === 'none' ? null : balanceLow } };
    context.printRow(command, noticeRow(await setNotices(context.pool, { organizationId, ...address, ...threshold })));
  })
    .requiredOption(...organizationOption)
    .option('--email <address>', 'where mails go')
    .option('--no-email', 'send no mails')
    .option('--balance-low <amount>', 'tell when what may be spent falls below this; `none` for never')
    .option('--unit <unit>', 'of the amount: a currency or a pack unit', 'USD');

  addCommand(notices, 'show', 'show where mails go and below which balances', async (command) => {
    const { id } = await getOrganization(context.reader, command.opts<{ org: string }>().org);
    context.printRow(command, noticeRow(await getNoticeSettings(context.pool, id)));
  }).requiredOption(...organizationOption);
};
