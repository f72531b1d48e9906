import { resolve } from 'node:path';
import type { Command } from 'commander';
import {
  countDefaultRows, detachPartition, dropPartition, exportPartition, isDue, listPartitions, makePartition, partitionPeriods, removeEmptyPartition, retentionDaysMin, type Partition, type PartitionPeriod,
} from '@kilotoken/usage/partitions';
import { AppError } from '@kilotoken/platform';
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
  if (!period) throw invalid(`--period: ${partitionPeriods.join(' or ')} is needed`);
  return period;
};

interface LeavingOptions {
  readonly to?: string;
  readonly olderThan?: string;
  readonly drop?: boolean;
}

/** The partition that is named, or all that are older than so many days, or than the setting says; those whose detaching was begun among them. */
const choosePartitions = async (context: Context, name: string | undefined, olderThan: string | undefined, now: Date): Promise<Partition[]> => {
  const days = olderThan === undefined ? context.usageRetentionDays : Math.ceil(parseSpan('--older-than', olderThan) / dayMs);
  if (name !== undefined && olderThan !== undefined) throw invalid('a partition or --older-than is needed, and not both');
  if (name === undefined && days === null) throw invalid('a partition, --older-than or the setting USAGE_RETENTION_DAYS is needed: unless told otherwise, usage stays for ever');
  const partitions = (await listPartitions(context.owner)).filter(({ state }) => state !== 'dropped');
  if (name === undefined) {
    if (days! < retentionDaysMin) throw invalid(`${olderThan === undefined ? 'USAGE_RETENTION_DAYS' : '--older-than'}: usage stays for ${retentionDaysMin} days at least`);
    return partitions.filter((partition) => isDue(partition, now, days!));
  }
  const partition = partitions.find((one) => one.name === name);
  if (!partition) throw new AppError({ code: 'partition_not_found', kind: 'not_found', publicMessage: `There is no partition ${name} of usage.` });
  return [partition];
};

const addLeavingOptions = (command: Command): Command =>
  command.option('--older-than <span>', `all whose usage is older than that, such as 400d, at least ${retentionDaysMin}d (USAGE_RETENTION_DAYS, if left out)`).option('--to <folder>', 'where files are written', 'usage-archive');

const addMakingCommands = (partitions: Command, context: Context): void => {
  addCommand(partitions, 'list', 'show every partition of usage there is or was', async (command) => {
    const rows = (await listPartitions(context.owner)).map(partitionRow);
    const inDefault = await countDefaultRows(context.owner, defaultRowsCountedMax);
    context.printRows(command, rows, { columns, nothing: 'There are no partitions.' });
    if (inDefault > 0) context.say(command, `${inDefault}${inDefault >= defaultRowsCountedMax ? ' or more' : ''} rows are in usage_default: their ids are of no partition's time (partitions make --from).`);
  });

  addCommand(partitions, 'make', 'make partitions that are missing; rows that the default partition caught move to theirs', async (command) => {
    const { period, from, until, moveMax } = command.opts<{ period: string; from?: string; until: string; moveMax: string }>();
    const now = await context.now();
    const range = { from: from === undefined ? null : parseMoment('--from', from, now), until: parseMoment('--until', until, now) };
    const rows: Row[] = [];
    while (rows.length < partitionsPerCallMax) {
      const made = await makePartition(context.owner, parsePeriod(period), range, parseWhole('--move-max', moveMax));
      if (!made) break;
      rows.push({ name: made.name, moved: made.moved });
    }
    context.printRows(command, rows, { columns: { name: 'PARTITION', moved: 'ROWS MOVED' }, nothing: 'All partitions are there.' });
  })
    .option('--period <period>', partitionPeriods.join(' or '), 'month')
    .option('--from <when>', 'from when (now, if left out)')
    .option('--until <when>', 'until when: a moment, a day or a span', '100d')
    .option('--move-max <rows>', 'rows of usage_default that may be moved while it is locked', '10000');

  addCommand(partitions, 'remove <name>', 'remove a partition that is still to come and has no row, so that make can divide its time otherwise', async (command) => {
    const [name] = command.processedArgs as [string];
    await removeEmptyPartition(context.owner, name, await context.now());
    context.printRow(command, { name, removed: true });
  });
};

export const addPartitionCommands = (partitions: Command, context: Context): void => {
  addMakingCommands(partitions, context);

  addLeavingOptions(
    addCommand(partitions, 'export [name]', 'write partitions to Parquet files that are read back; usage stays', async (command) => {
      const { to, olderThan } = command.opts<LeavingOptions>();
      const now = await context.now();
      const rows: Row[] = [];
      for (const { name } of await choosePartitions(context, command.processedArgs[0] as string | undefined, olderThan, now)) {
        rows.push(partitionRow(await exportPartition(context.owner, name, resolve(context.callersFolder, to!), now)));
      }
      context.printRows(command, rows, { columns, nothing: 'No partition is that old.' });
    }),
  );

  addLeavingOptions(
    addCommand(partitions, 'detach [name]', 'export partitions where that was not done, and take them off usage; doing it again finishes what was begun', async (command) => {
      const { to, olderThan, drop } = command.opts<LeavingOptions>();
      const now = await context.now();
      const rows: Row[] = [];
      for (const { name, state } of await choosePartitions(context, command.processedArgs[0] as string | undefined, olderThan, now)) {
        if (state === 'attached') await exportPartition(context.owner, name, resolve(context.callersFolder, to!), now);
        const detached = await detachPartition(context.owner, name, now);
        rows.push(partitionRow(drop === true ? await dropPartition(context.owner, name) : detached));
      }
      context.printRows(command, rows, { columns, nothing: 'No partition is that old.' });
    }).option('--drop', 'drop the tables too, once each row was found in its file'),
  );
};
