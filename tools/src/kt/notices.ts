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
  /** False with `--no-email`; commander gives true if neither option is present. */
  readonly email: string | boolean;
  readonly balanceLow?: string;
  readonly unit: string;
}

export const addNoticeCommands = (notices: Command, context: Context): void => {
  addCommand(notices, 'set', 'set the address for mails and the balance below which one is sent', async (command) => {
    const { org, email, balanceLow, unit } = command.opts<SetOptions>();
    const { id: organizationId } = await getOrganization(context.reader, org);
    const address = email === true ? {} : { email: email === false ? null : email };
    const threshold = balanceLow === undefined ? {} : { balanceLow: { unit, threshold: balanceLow === 'none' ? null : balanceLow } };
    context.printRow(command, noticeRow(await setNotices(context.pool, { organizationId, ...address, ...threshold })));
  })
    .requiredOption(...organizationOption)
    .option('--email <address>', 'the address that receives mails')
    .option('--no-email', 'send no mails')
    .option('--balance-low <amount>', 'send a mail when the available balance falls below this; `none` for never')
    .option('--unit <unit>', "the amount's unit: a currency or a pack unit", 'USD');

  addCommand(notices, 'show', 'show the address for mails and the balance thresholds', async (command) => {
    const { id } = await getOrganization(context.reader, command.opts<{ org: string }>().org);
    context.printRow(command, noticeRow(await getNoticeSettings(context.pool, id)));
  }).requiredOption(...organizationOption);
};
