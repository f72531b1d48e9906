import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { z } from 'zod';

/** What a run of `npm run bench:rating` measures. */
const rowsMax = 100_000_000;
const organizationsMax = 100_000;

const ratingBenchOptions = z.object({
  /** How many usage rows wait, one measurement each, ascending. */
  rows: z.array(z.number().int().min(10_000).max(rowsMax)).min(1),
  organizations: z.number().int().min(1).max(organizationsMax),
  json: z.boolean(),
});
export type RatingBenchOptions = z.infer<typeof ratingBenchOptions>;

const full = { rows: [1_000_000, 3_000_000] };
/** For development: enough to see a change of some ten percent. */
const quick = { rows: [100_000, 300_000] };

const numbers = (text: string): number[] =>
  text.split(',').map((word) => {
    const value = Number(word);
    if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('Whole numbers are needed.');
    return value;
  });

/** Ends the process with a message when the arguments are wrong, and with the help when it was asked for. */
export const readRatingBenchOptions = (args: string[]): RatingBenchOptions => {
  const command = new Command('npm run bench:rating --')
    .description('Compares the rater with a bare loop that reads the same rows, multiplies, adds and writes the same postings.')
    .option('--rows <list>', `how many usage rows, ascending (${full.rows.join()}; 10000000 takes ten minutes)`, numbers)
    .option('--organizations <count>', 'how many organizations they are of', (text) => numbers(text)[0]!, 100)
    .option('--quick', `few rows: ${quick.rows.join()}`, false)
    .option('--json', 'print one JSON document to standard output', false)
    .allowExcessArguments(false)
    .exitOverride();
  try {
    command.parse(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) process.exit(error.exitCode);
    throw error;
  }
  const given = command.opts<Record<string, unknown>>();
  const parsed = ratingBenchOptions.safeParse({ ...(given['quick'] ? quick : full), ...given });
  if (parsed.success) return { ...parsed.data, rows: [...parsed.data.rows].sort((a, b) => a - b) };
  process.stderr.write(`${z.prettifyError(parsed.error)}\n`);
  process.exit(1);
};
