import { CommanderError } from 'commander';
import { AppError, ConfigError } from '@kilotoken/platform';
import { openAuditPool, runReconcile } from '@kilotoken/reconcile';
import { z } from 'zod';
import { databaseAwayReasonOf } from '../database-away.js';
import { readKtConfig } from '../kt/config.js';
import type { Output } from '../kt/output.js';
import { readSurroundings, type Surroundings } from '../surroundings.js';
import { readOptions, type Options } from './options.js';
import { checkLine, closingLines, headLine } from './report.js';

/** `npm run reconcile`: proves the books of an installation, whether or not it runs. */
const exitCodes = { holds: 0, found: 1, couldNotCheck: 2 } as const;

/** Runs one reconciliation and returns its exit code. */
export const runReconcileTool = async (words: readonly string[], { environment, workingFolder, callersFolder, output }: Surroundings): Promise<number> => {
  // Read before parsing, so that errors in the arguments are reported as JSON too.
  const asJson = words.includes('--json');
  try {
    const options = readOptions(words, callersFolder, { out: output.out, error: (text) => (asJson ? undefined : output.error(text)) });
    return await reconcile(readKtConfig(environment, workingFolder).findDatabaseUrl(), options, output);
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.holds;
    // Commander has printed the problem already.
    if (error instanceof CommanderError && !asJson) return exitCodes.couldNotCheck;
    const { code, message } = explain(error);
    output.error(asJson ? `${JSON.stringify({ error: { code, message } })}\n` : `Could not check: ${message}\n`);
    return exitCodes.couldNotCheck;
  }
};

const reconcile = async (databaseUrl: string, { json, ...options }: Options, output: Output): Promise<number> => {
  const pool = openAuditPool(databaseUrl);
  try {
    if (!json) output.out(headLine(options));
    const report = await runReconcile(pool, { ...options, ...(json ? {} : { onChecked: (result) => output.out(checkLine(result)) }) });
    output.out(json ? `${JSON.stringify(report, null, 2)}\n` : closingLines(report));
    return report.holds ? exitCodes.holds : exitCodes.found;
  } finally {
    await pool.end();
  }
};

const explain = (error: unknown): { code: string; message: string } => {
  if (error instanceof CommanderError) return { code: 'arguments_invalid', message: error.message };
  if (error instanceof z.ZodError) return { code: 'arguments_invalid', message: error.issues.map(({ path, message }) => `--${String(path[0]).replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}: ${message}`).join('; ') };
  if (error instanceof ConfigError) return { code: 'settings_invalid', message: error.message };
  if (error instanceof AppError) return { code: error.code, message: error.publicMessage };
  const awayReason = databaseAwayReasonOf(error);
  if (awayReason !== null) return { code: 'database_unreachable', message: `the database cannot be reached: ${awayReason}` };
  return { code: 'internal', message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
};

/** Called by `reconcile.mjs`, which knows the caller's folder. */
export const main = (callersFolder: string): Promise<number> => runReconcileTool(process.argv.slice(2), readSurroundings(callersFolder));
