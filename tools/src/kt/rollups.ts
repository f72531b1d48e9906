import type { Command } from 'commander';
import { getOrganization } from '@kilotoken/identity';
import { formatMoney } from '@kilotoken/money';
import { AppError } from '@kilotoken/platform';
import {
  findRolledDays, granularities, quantileMsMax, readUsageRollup, rebuildRollups, verifyRollups, type DayRange, type Granularity, type RollupQuery, type Timing, type UsageRollup,
} from '@kilotoken/rollups';
import { parseNames } from './arguments.js';
import { addCommand, iso, organizationOption, type Context } from './context.js';
import type { Row } from './output.js';

const dayMs = 86_400_000;

const sumsRow = (sums: Readonly<Record<string, bigint>>, format: (sum: bigint) => string): Row => Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, format(sum)]));

const timingRow = (timing: Timing): Row => {
  const quantile = (share: number): string | null => {
    const ms = quantileMsMax(timing, share);
    return ms === null ? null : ms === Infinity ? 'more' : String(ms);
  };
  return { count: String(timing.count), sumMs: String(timing.sumMs), p50MsMax: quantile(0.5), p95MsMax: quantile(0.95), histogram: timing.histogram.map(String) };
};

const usageRow = (rollup: UsageRollup): Row => ({
  from: iso(rollup.startsAt),
  to: iso(rollup.endsAt),
  ...rollup.group,
  requests: String(rollup.requests),
  errors: String(rollup.errors),
  failedAttempts: String(rollup.failedAttempts),
  tokens: sumsRow(rollup.tokens, String),
  charge: sumsRow(rollup.charge, formatMoney),
  cost: sumsRow(rollup.cost, formatMoney),
  timeToFirstToken: timingRow(rollup.timeToFirstToken),
  duration: timingRow(rollup.duration),
});

/** The row with medians in place of histograms, short enough for one line. */
const readableRow = ({ timeToFirstToken, duration, ...row }: Row): Row => ({
  ...row,
  firstToken: (timeToFirstToken as { p50MsMax: string | null }).p50MsMax,
  duration: (duration as { p50MsMax: string | null }).p50MsMax,
});

/** The days of UTC from `--from` to `--to`, both included; by default all that have rollups. */
const findDays = async (command: Command, context: Context): Promise<DayRange | null> => {
  const { from, to } = command.opts<{ from?: string; to?: string }>();
  const days = await findRolledDays(context.pool);
  const read = (option: string, text: string): Date => {
    const day = new Date(`${text}T00:00:00Z`);
    if (!/^\d{4}-\d{2}-\d{2}$/.test(text) || Number.isNaN(day.getTime()) || !day.toISOString().startsWith(text)) {
      throw new AppError({ code: 'argument_invalid', kind: 'invalid', publicMessage: `${option}: must be a day such as 2027-01-31` });
    }
    return day;
  };
  const first = from === undefined ? days?.from : read('--from', from);
  const until = to === undefined ? days?.until : new Date(read('--to', to).getTime() + dayMs);
  return first && until && first < until ? { from: first, until } : null;
};

const addDayOptions = (command: Command): Command =>
  command.option('--from <day>', 'the first day in UTC (default: the first with usage)').option('--to <day>', 'the last day in UTC, included (default: the last with usage)');

export const addRollupCommands = (rollups: Command, context: Context): void => {
  addShowCommand(rollups, context);

  addDayOptions(
    addCommand(rollups, 'verify', 'compare rollups with usage, to the last digit; exit with 1 if they differ', async (command) => {
      const days = await findDays(command, context);
      if (!days) return context.printRow(command, { agree: true, usageRows: 0, rollups: 0, waitingRows: 0, daysArchived: 0, differences: [] });
      const { differences, ...proof } = await verifyRollups(context.pool, days);
      const rows = differences.map((difference) => ({ ...difference, startsAt: iso(difference.startsAt) }) as unknown as Row);
      context.printRow(command, { from: iso(days.from), until: iso(days.until), agree: differences.length === 0, ...proof, differences: rows });
      if (differences.length > 0) {
        throw new AppError({ code: 'rollups_differ', kind: 'conflict', publicMessage: `${differences.length} rollups differ from usage (at most 100 are listed). Run rollups rebuild to correct them.` });
      }
    }),
  );

  addDayOptions(
    addCommand(rollups, 'rebuild', 'rebuild rollups from usage, one day at a time, while everything runs', async (command) => {
      const days = await findDays(command, context);
      const rows: Row[] = [];
      if (days) await rebuildRollups(context.pool, days, (day, counted) => rows.push({ day: iso(day)!.slice(0, 10), usageRows: counted }));
      context.printRows(command, rows, { columns: { day: 'DAY', usageRows: 'USAGE ROWS' }, nothing: 'There was no usage on these days.' });
    }),
  );
};

const addShowCommand = (rollups: Command, context: Context): void => {
  addCommand(rollups, 'show', 'show the usage of an organization', async (command) => {
    const options = command.opts<{ org: string; from: string; to: string; by: string; group?: string; zone?: string }>();
    const { id: organizationId, timeZone } = await getOrganization(context.reader, options.org);
    const groupBy = (options.group === undefined ? [] : parseNames('--group', options.group)) as RollupQuery['groupBy'];
    // The library refuses unknown names.
    const query: RollupQuery = { organizationId, from: options.from, to: options.to, granularity: options.by as Granularity, timeZone: options.zone ?? timeZone, ...(groupBy ? { groupBy } : {}) };
    const rows = (await readUsageRollup(context.pool, query)).map(usageRow);
    const columns = {
      from: 'FROM', to: 'TO', ...Object.fromEntries((groupBy ?? []).map((name) => [name, name.toUpperCase()])), requests: 'REQUESTS', errors: 'ERRORS',
      tokens: 'TOKENS', charge: 'CHARGE', cost: 'COST', firstToken: 'FIRST TOKEN MS (P50)', duration: 'DURATION MS (P50)',
    };
    context.printRows(command, rows, { columns, nothing: 'There was no usage in this period.', readable: rows.map(readableRow) });
  })
    .requiredOption(...organizationOption)
    .requiredOption('--from <when>', 'start: a day in the zone, or a moment such as 2027-01-31T18:00:00Z')
    .requiredOption('--to <when>', 'end, excluded')
    .option('--by <granularity>', granularities.join(', '), 'day')
    .option('--group <names>', 'project, apiKey, model, lane, tag:<key>, separated by commas')
    .option('--zone <zone>', "the time zone of hours and days (default: the organization's)");
};
