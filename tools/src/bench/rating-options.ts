import { Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { readOptions } from './run.js';

/** What a run of `npm run bench:rating` measures. */
const rowsMax = 100_000_000;
const organizationsMax = 100_000;

const ratingBenchOptions = z.object({
  /** How many usage rows wait, one measurement each, ascending. */
  rows: z
    .array(z.number().int().min(10_000).max(rowsMax))
    .min(1)
    .transform((rows) => rows.toSorted((a, b) => a - b)),
  organizations: z.number().int().min(1).max(organizationsMax),
  json: z.boolean(),
});
export type RatingBenchOptions = z.infer<typeof ratingBenchOptions>;

const full = { rows: [1_000_000, 3_000_000] };
/** For development: enough to see a change of some ten percent. */
const quick = { rows: [100_000, 300_000] };

const wholeNumber = (text: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('They must be whole numbers.');
  return value;
};

export const readRatingBenchOptions = (args: string[]): RatingBenchOptions => {
  const command = new Command('npm run bench:rating --')
    .description('Compares the rater with a bare loop that reads the same rows, multiplies, adds and writes the same postings.')
    .option('--rows <list>', `how many usage rows, ascending (${full.rows.join()}; 10000000 takes six minutes)`, (text) => text.split(',').map(wholeNumber))
    .option('--organizations <count>', 'how many organizations they are of', wholeNumber, 100)
    .option('--quick', `few rows: ${quick.rows.join()}`, false);
  return readOptions(command, args, ratingBenchOptions, { full, quick });
};
