import { CommanderError, InvalidArgumentError, type Command } from 'commander';
import { z } from 'zod';

/** The frame of every bench: a command with options, a run that always cleans up, a report for people or as JSON. */

/** Ends everything that was started, latest first, however the bench ends. */
export type Cleanup = (() => Promise<void> | void)[];

export interface BenchRun {
  /** Prints progress. With `--json` it goes to standard error, since standard output is one document. */
  readonly say: (line: string) => void;
  readonly cleanup: Cleanup;
}

/** Runs a measurement; with `--json` prints its answer. A failure sets the exit code; an interruption cleans up first. */
export const runMeasurement = async (json: boolean, measure: (run: BenchRun) => Promise<unknown>): Promise<void> => {
  const say = (line: string): void => void (json ? process.stderr : process.stdout).write(`${line}\n`);
  const cleanup: Cleanup = [];
  const interrupt = (): void => void cleanUp(cleanup).finally(() => process.exit(130));
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    const report = await measure({ say, cleanup });
    if (json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  } catch (error) {
    process.stderr.write(`\nThe bench failed: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exitCode = 1;
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    await cleanUp(cleanup);
  }
};

const cleanUp = async (cleanup: Cleanup): Promise<void> => {
  for (let end = cleanup.pop(); end; end = cleanup.pop()) await end();
};

export interface Presets {
  readonly full: Readonly<Record<string, unknown>>;
  /** For `--quick`. */
  readonly quick: Readonly<Record<string, unknown>>;
}

/**
 * Reads a bench's arguments and adds `--json` to its options. Wrong arguments end the process with a message, `--help` with
 * the help.
 */
export const readOptions = <Options>(command: Command, args: string[], schema: z.ZodType<Options>, { full, quick }: Presets): Options => {
  command.option('--json', 'print one JSON document to standard output', false).allowExcessArguments(false).exitOverride();
  try {
    command.parse(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) process.exit(error.exitCode);
    throw error;
  }
  const given = command.opts<Record<string, unknown>>();
  const parsed = schema.safeParse({ ...(given['quick'] ? quick : full), ...given });
  if (parsed.success) return parsed.data;
  process.stderr.write(`${z.prettifyError(parsed.error)}\n`);
  process.exit(1);
};

export const number = (text: string): number => {
  const value = Number(text);
  if (!Number.isFinite(value)) throw new InvalidArgumentError('It must be a number.');
  return value;
};

export const numbers = (text: string): number[] => text.split(',').map(number);
