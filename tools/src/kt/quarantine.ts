import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { getOrganization } from '@kilotoken/identity';
import { discardQuarantined, findQuarantined, repairQuarantined, replayQuarantined, type QuarantinedUsage, type StepBy } from '@kilotoken/metering';
import { AppError } from '@kilotoken/platform';
import { z } from 'zod';
import { parseWhole } from './arguments.js';
import { addCommand, iso, organizationOption, type Context } from './context.js';
import type { Row } from './output.js';

const matchesMax = 100;

const caseRow = ({ organizationId, usageId, attempt, reason, quarantinedAt, repaired, ended }: QuarantinedUsage): Row => ({
  id: usageId,
  attempt,
  reason,
  organizationId,
  quarantinedAt: iso(quarantinedAt),
  status: ended ?? (repaired ? 'repaired' : 'open'),
});

/** The case of a request; `--attempt` and `--reason` choose among several. */
const findCase = async (context: Context, command: Command): Promise<QuarantinedUsage> => {
  const [usageId] = command.processedArgs as [string];
  const { attempt, reason } = command.opts<{ attempt?: string; reason?: string }>();
  if (!z.uuid().safeParse(usageId).success) throw new AppError({ code: 'argument_invalid', kind: 'invalid', publicMessage: '<id>: must be the id of a request' });
  const wanted = attempt === undefined ? null : parseWhole('--attempt', attempt);
  const found = (await findQuarantined(context.pool, { organizationId: null, usageId, ended: true, limit: matchesMax }))
    .filter((usage) => (wanted === null || usage.attempt === wanted) && (reason === undefined || usage.reason === reason));
  if (found.length === 1) return found[0]!;
  const publicMessage =
    found.length === 0
      ? 'The request is not in quarantine.'
      : `The request has several cases: add --attempt and --reason. ${found.map((usage) => `attempt ${usage.attempt}: ${usage.reason}`).join('; ')}`;
  throw new AppError({ code: 'quarantine_not_found', kind: 'not_found', publicMessage });
};

const stepBy = (command: Command): StepBy => ({ actor: `kt:${userInfo().username}`, note: command.opts<{ note: string }>().note });

export const addQuarantineCommands = (quarantine: Command, context: Context): void => {
  addCommand(quarantine, 'list', 'show usage in quarantine, oldest first', async (command) => {
    const { org, all = false, limit } = command.opts<{ org?: string; all?: boolean; limit: string }>();
    const organizationId = org === undefined ? null : (await getOrganization(context.reader, org)).id;
    const rows = (await findQuarantined(context.pool, { organizationId, usageId: null, ended: all, limit: parseWhole('--limit', limit) })).map(caseRow);
    const columns = { quarantinedAt: 'SINCE', reason: 'REASON', status: 'STATUS', id: 'REQUEST', attempt: 'ATTEMPT', organizationId: 'ORGANIZATION' };
    context.printRows(command, rows, { columns, nothing: 'Nothing is in quarantine.' });
  })
    .option(organizationOption[0], 'of one organization (default: all)')
    .option('--all', 'also show replayed and discarded usage')
    .option('--limit <count>', 'the most rows to show', '100');

  const addCaseCommand = (usage: string, description: string, action: (command: Command, found: QuarantinedUsage) => Promise<void>): Command =>
    addCommand(quarantine, usage, description, async (command) => action(command, await findCase(context, command)))
      .option('--attempt <number>', 'the attempt, if the request has several cases')
      .option('--reason <text>', 'the reason, if the request has several cases');
  const note = ['--note <text>', 'the reason, kept with the case'] as const;

  addCaseCommand('show <id>', 'show the kept usage of a request', async (command, found) => context.printRow(command, { ...caseRow(found), raw: found.raw }));

  addCaseCommand('repair <id>', 'store corrected rows of a request that could not be settled', async (command, found) => {
    const file = resolve(context.callersFolder, command.opts<{ file: string }>().file);
    await repairQuarantined(context.pool, found, readFileSync(file, 'utf8'), stepBy(command));
    context.printRow(command, { ...caseRow(found), status: 'repaired' });
  })
    .requiredOption('--file <file>', 'the corrected rows as JSON, in the form that `show` prints as raw')
    .requiredOption(...note);

  addCaseCommand('replay <id>', 'settle a request from its grants as they are now, or rate it again and post the difference', async (command, found) => {
    const result = await replayQuarantined(context.pool, found, stepBy(command));
    context.printRow(command, { ...caseRow(found), status: 'replayed', result: { ...result } });
  }).requiredOption(...note);

  addCaseCommand('discard <id>', 'close a case without any effect on money', async (command, found) => {
    await discardQuarantined(context.pool, found, stepBy(command));
    context.printRow(command, { ...caseRow(found), status: 'discarded' });
  }).requiredOption(...note);
};
