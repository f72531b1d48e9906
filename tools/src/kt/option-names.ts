import type { Command } from 'commander';
import { AppError } from '@kilotoken/platform';

/**
 * The libraries name a wrong value by its field (`expiresAt: must be in the future`). At a command line people write options, so the refusal names
 * the option. A field belongs to the option of the same name, unless it is listed here.
 */
const optionsOfFields: Readonly<Record<string, readonly string[]>> = {
  organizationId: ['--org'],
  projectId: ['--project'],
  keyId: ['--key'],
  grantId: ['--grant'],
  subject: ['--project', '--key'],
  allowedModels: ['--models'],
  scopeModels: ['--models'],
  toOrganizationId: ['--to'],
  counterAccount: ['--against'],
  expiresAt: ['--expires'],
  effectiveAt: ['--effective'],
  overlapMs: ['--overlap'],
  window: ['--per'],
  threshold: ['--balance-low'],
  granularity: ['--by'],
  groupBy: ['--group'],
  timeZone: ['--time-zone', '--zone'],
  // A budget counts money or tokens, each with its own option.
  amount: ['--tokens', '--amount'],
};

/** The validator's default messages, reworded. */
const wordings: readonly [pattern: RegExp, right: string][] = [
  [/^Invalid UUID$/, 'must be an id, as `list` shows it'],
  [/^Invalid option: expected one of (.*)$/, 'must be one of $1'],
  [/^Too big: expected \w+ to be <=?\s?(\S+).*$/, 'must be at most $1'],
  [/^Too small: expected \w+ to be >=?\s?(\S+).*$/, 'must be at least $1'],
];

const reword = (message: string): string => {
  const [pattern, right] = wordings.find(([one]) => one.test(message)) ?? [];
  return pattern && right ? message.replace(pattern, right).replaceAll('"|"', ', ').replaceAll('"', '') : message;
};

/** The same error with options and arguments in place of fields. */
export const nameOptions = (error: unknown, command: Command): unknown => {
  if (!(error instanceof AppError)) return error;
  const publicMessage = error.publicMessage
    .split('; ')
    .map((problem) => {
      const [, path, message] = /^([A-Za-z][\w.]*): (.*)$/s.exec(problem) ?? [];
      const named = path === undefined ? undefined : path.split('.').reverse().flatMap((field) => findOption(field, command))[0];
      return named === undefined ? problem : `${named}: ${reword(message!)}`;
    })
    .join('; ');
  return new AppError({ code: error.code, kind: error.kind, publicMessage, details: error.details, cause: error.cause });
};

const findOption = (field: string, command: Command): string[] => {
  const known = (long: string) => command.options.find((option) => option.long === long);
  const listed = (optionsOfFields[field] ?? []).filter(known);
  const given = listed.find((long) => command.getOptionValueSource(known(long)!.attributeName()) === 'cli');
  if (given ?? listed.at(-1)) return [(given ?? listed.at(-1))!];
  const option = command.options.find((one) => one.attributeName() === field);
  if (option?.long) return [option.long];
  return command.registeredArguments.some((argument) => argument.name() === field) ? [`<${field}>`] : [];
};
