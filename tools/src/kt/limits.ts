import type { Command } from 'commander';
import { findApiKey, getOrganization } from '@kilotoken/identity';
import { formatMoney } from '@kilotoken/money';
import { AppError } from '@kilotoken/platform';
import { calendarKinds, describeLimit, isBudget, listLimits, removeLimit, setLimit, type NewLimit, type StoredLimit } from '@kilotoken/quota';
import { parseNames, parseSpan, parseWhole } from './arguments.js';
import { addCommand, iso, organizationOption, type Context } from './context.js';
import type { Row } from './output.js';

const limitRow = (limit: StoredLimit): Row => ({
  id: limit.id,
  on: limit.subjectKind,
  subjectId: limit.subjectKind === 'project' || limit.subjectKind === 'key' ? limit.subjectId : null,
  measure: limit.measure,
  currency: limit.measure === 'money' ? limit.unit : null,
  window: limit.windowKind,
  windowMs: limit.windowKind === 'rolling' ? limit.windowMs : null,
  amount: formatMoney(limit.amount),
  counted: limit.counted === null ? null : formatMoney(limit.counted),
  mode: limit.mode,
  ...(isBudget(limit) ? { alertPercents: limit.alertPercents.map(String) } : {}),
  description: describeLimit(limit),
  createdAt: iso(limit.createdAt),
  changedAt: iso(limit.changedAt),
});

interface SubjectOptions {
  readonly org: string;
  readonly project?: string;
  readonly key?: string;
  readonly endUsers?: boolean;
  readonly soft?: boolean;
}

const subjectOf = async (context: Context, organizationId: string, { project, key, endUsers }: SubjectOptions): Promise<NewLimit['subject']> => {
  if ([project, key, endUsers].filter((given) => given !== undefined).length > 1) {
    throw new AppError({ code: 'argument_invalid', kind: 'invalid', publicMessage: 'give at most one of --project, --key and --end-users' });
  }
  if (project !== undefined) return { kind: 'project', project };
  if (key !== undefined) return { kind: 'key', keyId: (await findApiKey(context.reader, organizationId, key)).id };
  return { kind: endUsers ? 'end_user' : 'organization' };
};

const windowOf = (option: string, text: string): NewLimit['window'] => calendarKinds.find((kind) => kind === text) ?? parseSpan(option, text);

const addSubjectOptions = (command: Command): Command =>
  command
    .requiredOption(...organizationOption)
    .option('--project <name or id>', 'on one project (default: on the whole organization)')
    .option('--key <name or id>', 'on one API key and its successors when it is rolled')
    .option('--end-users', 'on each end user, named by the `user` of a request; requests without `user` share one bucket')
    .option('--soft', 'warn instead of refusing requests');

const addListing = (parent: Command, context: Context, what: string, shown: (limit: StoredLimit) => boolean): void => {
  addCommand(parent, 'list', `show the ${what} of an organization and their counts, which include slices set aside for gateways`, async (command) => {
    const { id } = await getOrganization(context.reader, command.opts<{ org: string }>().org);
    const rows = (await listLimits(context.reader, id)).filter(shown).map(limitRow);
    const columns = { description: 'LIMIT', amount: 'AMOUNT', counted: 'COUNTED', mode: 'MODE', subjectId: 'ON', id: 'ID' };
    context.printRows(command, rows, { columns, nothing: `The organization has no ${what}.` });
  }).requiredOption(...organizationOption);

  addCommand(parent, 'remove <id>', `remove one of the ${what}; every gateway drops it within a second`, async (command) => {
    const { id: organizationId } = await getOrganization(context.reader, command.opts<{ org: string }>().org);
    const [id] = command.processedArgs as [string];
    await removeLimit(await context.prisma(), { organizationId, id });
    context.printRow(command, { id, removed: true });
  }).requiredOption(...organizationOption);
};

export const addLimitCommands = (limits: Command, context: Context): void => {
  const set = addCommand(limits, 'set', 'set a limit, or change its amount; every gateway applies it within a second', async (command) => {
    const options = command.opts<SubjectOptions & { measure: string; amount: string; per?: string }>();
    const { id: organizationId } = await getOrganization(context.reader, options.org);
    const window = options.per === undefined ? null : windowOf('--per', options.per);
    // The library refuses an unknown measure.
    const measure = options.measure as NewLimit['measure'];
    const limit = await setLimit(await context.prisma(), { organizationId, subject: await subjectOf(context, organizationId, options), measure, window, amount: options.amount, mode: options.soft ? 'soft' : 'hard' });
    context.printRow(command, limitRow(limit));
  })
    .requiredOption('--measure <measure>', 'requests, tokens, input_tokens, output_tokens or concurrency')
    .requiredOption('--amount <count>', 'the most per window; for concurrency, the most at once')
    .option('--per <window>', "a rolling span such as 1m or 24h, or day, week or month in the organization's time zone; not for concurrency");
  addSubjectOptions(set);
  addListing(limits, context, 'limits', () => true);
};

const alertsOf = (text: string | undefined): Pick<NewLimit, 'alertPercents'> =>
  text === undefined ? {} : { alertPercents: text === 'none' ? [] : parseNames('--alerts', text).map((percent) => parseWhole('--alerts', percent)) };

export const addBudgetCommands = (budgets: Command, context: Context): void => {
  const set = addCommand(budgets, 'set', 'set a budget, or change its amount; every gateway applies it within a second', async (command) => {
    const options = command.opts<SubjectOptions & { amount?: string; currency: string; tokens?: string; per: string; alerts?: string }>();
    const { amount, tokens } = options;
    if ((amount === undefined) === (tokens === undefined)) {
      throw new AppError({ code: 'argument_invalid', kind: 'invalid', publicMessage: 'give either --amount or --tokens' });
    }
    const { id: organizationId } = await getOrganization(context.reader, options.org);
    const counted = tokens === undefined ? { measure: 'money' as const, currency: options.currency, amount: amount! } : { measure: 'tokens' as const, amount: tokens };
    const limit = await setLimit(await context.prisma(), { organizationId, subject: await subjectOf(context, organizationId, options), ...counted, window: windowOf('--per', options.per), mode: options.soft ? 'soft' : 'hard', ...alertsOf(options.alerts) });
    context.printRow(command, limitRow(limit));
  })
    .option('--amount <decimal>', 'the most money')
    .option('--currency <unit>', "the amount's unit: a currency or a pack unit", 'USD')
    .option('--tokens <count>', 'the most tokens, input and output together')
    .option('--per <window>', "day, week or month in the organization's time zone, or a rolling span such as 24h", 'month')
    .option('--alerts <percents>', 'tell at these percents of the amount, such as 50,90, or at none (the ones that it has, or 50,80,100, if left out)');
  addSubjectOptions(set);
  addListing(budgets, context, 'budgets', isBudget);
};
