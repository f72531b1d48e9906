import { Command, CommanderError } from 'commander';
import { AppError, ConfigError, prismaSqlStateOf, sqlStateOf } from '@kilotoken/platform';
import { databaseAwayReasonOf } from '../database-away.js';
import { readSurroundings, type Surroundings } from '../surroundings.js';
import { readKtConfig } from './config.js';
import { Context } from './context.js';
import type { Output } from './output.js';
import { addSubjects } from './subjects.js';

/** The command line of the control plane: `npm run kt -- …`. It works on the database directly, whether or not Kilotoken runs. */
const exitCodes = { done: 0, refused: 1, databaseAway: 2 } as const;

const examples = `
Examples:
  npm run kt -- orgs create --slug acme --name "Acme Inc."
  npm run kt -- projects create --org acme --name chat
  npm run kt -- keys create --org acme --project chat --name server --expires 90d
  npm run kt -- grants issue --org acme --amount 100 --reference order-4711
  npm run kt -- grants list --org acme --json
  npm run kt -- limits set --org acme --measure requests --amount 60 --per 1m
  npm run kt -- budgets set --org acme --end-users --amount 5 --per day
  npm run kt -- lanes apply lanes.yaml
  npm run kt -- webhooks add --org acme --url https://hooks.example.com/kilotoken
  npm run kt -- notices set --org acme --email billing@example.com --balance-low 5

kt connects with CONTROL_DATABASE_URL or DATABASE_URL; if neither is set, with the logins of the installation in KILOTOKEN_HOME (.kilotoken).
The commands of partitions use the owner's login, DATABASE_URL.

Exit codes: 0 done, 1 refused (standard error has the reason), 2 the database cannot be reached.
`;

const helpHint = '(add --help to see commands and options)';
/** Without the two dashes npm consumes the options, and the command never sees them. */
const npmHint = '(with npm, put -- before the command: npm run kt -- keys list --org acme)';

const createProgram = (output: Output, asJson: boolean, words: readonly string[]): Command =>
  new Command('npm run kt --')
    .description('Organizations, projects, keys, grants, models, lanes and the ledger of a Kilotoken installation.')
    .usage('<subject> <command> [options]')
    .addHelpText('after', examples)
    .configureOutput({ writeOut: (text) => output.out(text), writeErr: (text) => (asJson ? undefined : output.error(text)) })
    .configureHelp({ showGlobalOptions: false })
    .showHelpAfterError(words.some((word) => word.startsWith('-')) ? helpHint : `${helpHint}\n${npmHint}`)
    .exitOverride();

/** Runs one command and returns its exit code. */
export const runKt = async (words: readonly string[], { environment, workingFolder, callersFolder, output }: Surroundings): Promise<number> => {
  // Read before parsing, so that errors in the arguments are reported as JSON too.
  const asJson = words.includes('--json');
  try {
    const context = new Context(readKtConfig(environment, workingFolder), callersFolder, output);
    try {
      const program = createProgram(output, asJson, words);
      program.hook('preAction', (_, command) => context.name(command));
      await addSubjects(program, context, words);
      await program.parseAsync([...words], { from: 'user' });
    } finally {
      await context.close();
    }
    return exitCodes.done;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.done;
    // Commander has printed the problem already.
    if (error instanceof CommanderError && !asJson) return exitCodes.refused;
    const { code, message, exitCode } = explain(error);
    output.error(asJson ? `${JSON.stringify({ error: { code, message } })}\n` : `${message}\n`);
    return exitCode;
  }
};

interface Explanation {
  readonly code: string;
  readonly message: string;
  readonly exitCode: number;
}

const explain = (error: unknown): Explanation => {
  if (error instanceof CommanderError) return { code: 'arguments_invalid', message: error.message, exitCode: exitCodes.refused };
  if (error instanceof ConfigError) return { code: 'settings_invalid', message: error.message, exitCode: exitCodes.refused };
  if (error instanceof AppError) {
    return { code: error.code, message: error.publicMessage, exitCode: error.kind === 'unavailable' ? exitCodes.databaseAway : exitCodes.refused };
  }
  const awayReason = databaseAwayReasonOf(error);
  if (awayReason !== null) {
    const message = `The database cannot be reached: ${awayReason}. Start Kilotoken (npm start) or check DATABASE_URL.`;
    return { code: 'database_unreachable', message, exitCode: exitCodes.databaseAway };
  }
  const sqlState = prismaSqlStateOf(error) ?? sqlStateOf(error);
  if (sqlState === '42P01' || sqlState === '42883') {
    const message = "The database lacks this version's tables. Start Kilotoken once (npm start) to migrate it.";
    return { code: 'database_not_migrated', message, exitCode: exitCodes.refused };
  }
  if (sqlState === '42501') {
    const message = "This login lacks the rights for the command: CONTROL_DATABASE_URL must be the control plane's login, and DATABASE_URL the owner's.";
    return { code: 'database_role_too_weak', message, exitCode: exitCodes.refused };
  }
  return { code: 'internal', message: error instanceof Error ? (error.stack ?? error.message) : String(error), exitCode: exitCodes.refused };
};

/** Called by `kt.mjs`, which knows the caller's folder. */
export const main = (callersFolder: string): Promise<number> => runKt(process.argv.slice(2), readSurroundings(callersFolder));
