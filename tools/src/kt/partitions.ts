import { resolve } from 'node:path';
import type { Command } from 'commander';
import {
  countDefaultRows, detachPartition, dropPartition, exportPartition, isDue, listPartitions, makePartition, partitionPeriods, removeEmptyPartition, retentionDaysMin, type Partition, type PartitionPeriod,
} from '@kilotoken/usage/partitions';
import { AppError } from '@kilotoken/platform';
import { findUnsealed } from '@kilotoken/reconcile';
import { parseMoment, parseSpan, parseWhole } from './arguments.js';
import { addCommand, iso, type Context } from './context.js';
import type { Row } from './output.js';

const dayMs = 86_400_000;
const defaultRowsCountedMax = 100_000;
const partitionsPerCallMax = 1_000;
const columns = { name: 'PARTITION', state: 'STATE', from: 'FROM', until: 'UNTIL', rows: 'ROWS EXPORTED', file: 'FILE' };

const partitionRow = ({ name, state, from, until, rows, file, fileSha256 }: Partition): Row => ({
  name,
  state,
  from: iso(from),
  until: iso(until),
  rows: rows === null ? null : String(rows),
  file,
  fileSha256,
});

const invalid = (publicMessage: string): AppError => new AppError({ code: 'argument_invalid', kind: 'invalid', publicMessage });

const parsePeriod = (text: string): PartitionPeriod => {
  const period = partitionPeriods.find((one) => one === text);
  if (!period) throw invalid(`--period: must be ${partitionPeriods.join(' or ')}`);
  return period;
};

interface LeavingOptions {
  readonly to?: string;
  readonly olderThan?: string;
  readonly drop?: boolean;
}

/** The named partition, or all older than `--older-than` or the setting; includes those whose detaching was interrupted. */
const choosePartitions = async (context: Context, name: string | undefined, olderThan: string | undefined, now: Date): Promise<Partition[]> => {
  const days = olderThan === undefined ? context.usageRetentionDays : Math.ceil(parseSpan('--older-than', olderThan) / dayMs);
  if (name !== undefined && olderThan !== undefined) throw invalid('give a partition or --older-than, not both');
  if (name === undefined && days === null) throw invalid('name a partition, give --older-than or set USAGE_RETENTION_DAYS; without them usage stays for ever');
  const partitions = (await listPartitions(context.owner)).filter(({ state }) => state !== 'dropped');
  if (name === undefined) {
    if (days! < retentionDaysMin) throw invalid(`${olderThan === undefined ? 'USAGE_RETENTION_DAYS' : '--older-than'}: must be at least ${retentionDaysMin} days`);
    return partitions.filter((partition) => isDue(partition, now, days!));
  }
  const partition = partitions.find((one) => one.name === name);
  if (!partition) throw new AppError({ code: 'partition_not_found', kind: 'not_found', publicMessage: `There is no partition ${name} of usage.` });
  return [partition];
};

const addLeavingOptions = (command: Command): Command =>
  command.option('--older-than <span>', `all partitions whose usage is older, such as 400d, at least ${retentionDaysMin}d (default: USAGE_RETENTION_DAYS)`).option('--to <folder>', 'the folder for the files', 'usage-archive');

const addMakingCommands = (partitions: Command, context: Context): void => {
  addCommand(partitions, 'list', 'show every partition of usage, past ones included', async (command) => {
    const rows = (await listPartitions(context.owner)).map(partitionRow);
    const inDefault = await countDefaultRows(context.owner, defaultRowsCountedMax);
    context.printRows(command, rows, { columns, nothing: 'There are no partitions yet.' });
    if (inDefault > 0) context.say(command, `${inDefault}${inDefault >= defaultRowsCountedMax ? ' or more' : ''} rows are in usage_default: no partition covers the time of their ids. Make one with partitions make --from.`);
  });

  addCommand(partitions, 'make', 'make missing partitions, and move rows from the default partition into them', async (command) => {
    const { period, from, until, moveMax } = command.opts<{ period: string; from?: string; until: string; moveMax: string }>();
    const now = await context.now();
    const range = { from: from === undefined ? null : parseMoment('--from', from, now), until: parseMoment('--until', until, now) };
    const rows: Row[] = [];
    while (rows.length < partitionsPerCallMax) {
      const made = await makePartition(context.owner, parsePeriod(period), range, parseWhole('--move-max', moveMax));
      if (!made) break;
      rows.push({ name: made.name, moved: made.moved });
    }
    context.printRows(command, rows, { columns: { name: 'PARTITION', moved: 'ROWS MOVED' }, nothing: 'No partition is missing.' });
  })
    .option('--period <period>', partitionPeriods.join(' or '), 'month')
    .option('--from <when>', 'start: a moment, a day or a span (default: now)')
    .option('--until <when>', 'end: a moment, a day or a span', '100d')
    .option('--move-max <rows>', 'the most rows to move from usage_default while it is locked', '10000');

  addCommand(partitions, 'remove <name>', 'remove a future, empty partition, so that make can divide its time differently', async (command) => {
    const [name] = command.processedArgs as [string];
    await removeEmptyPartition(context.owner, name, await context.now());
    context.printRow(command, { name, removed: true });
  });
};

export const addPartitionCommands = (partitions: Command, context: Context): void => {
  addMakingCommands(partitions, context);

  addLeavingOptions(
    addCommand(partitions, 'export [name]', 'write partitions to Parquet files and read them back; usage stays in the database', async (command) => {
      const { to, olderThan } = command.opts<LeavingOptions>();
      const now = await context.now();
      const rows: Row[] = [];
      for (const { name } of await choosePartitions(context, command.processedArgs[0] as string | undefined, olderThan, now)) {
        rows.push(partitionRow(await exportPartition(context.owner, name, resolve(context.callersFolder, to!), now)));
      }
      context.printRows(command, rows, { columns, nothing: 'No partition is old enough.' });
    }),
  );

  addLeavingOptions(
    addCommand(partitions, 'detach [name]', 'export partitions that were not exported, and detach them from usage; repeating it completes an interrupted run', async (command) => {
      const { to, olderThan, drop } = command.opts<LeavingOptions>();
      const now = await context.now();
      const rows: Row[] = [];
      for (const { name, state } of await choosePartitions(context, command.processedArgs[0] as string | undefined, olderThan, now)) {
        if (state === 'attached') await exportPartition(context.owner, name, resolve(context.callersFolder, to!), now);
        const detached = await detachPartition(context.owner, name, now);
        rows.push(partitionRow(drop === true ? await dropPartition(context.owner, name, findUnsealed) : detached));
      }
      context.printRows(command, rows, { columns, nothing: 'No partition is old enough.' });
    }).option('--drop', 'also drop the tables, after every row was found in its file'),
  );
};
