import { Command } from 'commander';
import { z } from 'zod';
import { number, numbers, readOptions } from './run.js';

/** The options of `npm run bench:rating`. */
const rowsMax = 100_000_000;
const organizationsMax = 100_000;

const ratingBenchOptions = z.object({
  /** Numbers of waiting usage rows, ascending: one measurement each. */
  rows: z
    .array(z.number().int().min(10_000).max(rowsMax))
    .min(1)
    .transform((rows) => rows.toSorted((a, b) => a - b)),
  organizations: z.number().int().min(1).max(organizationsMax),
  json: z.boolean(),
});
export type RatingBenchOptions = z.infer<typeof ratingBenchOptions>;

const full = { rows: [1_000_000, 3_000_000] };
/** For development: shows a change of some ten percent. */
const quick = { rows: [100_000, 300_000] };

export const readRatingBenchOptions = (args: string[]): RatingBenchOptions => {
  const command = new Command('npm run bench:rating --')
    .description('Compares the rater with a bare loop that reads the same rows, rates them and writes the same postings.')
    .option('--rows <list>', `numbers of usage rows, ascending (${full.rows.join()}; 10000000 takes six minutes)`, numbers)
    .option('--organizations <count>', 'the number of their organizations', number, 100)
    .option('--quick', `few rows: ${quick.rows.join()}`, false);
  return readOptions(command, args, ratingBenchOptions, { full, quick });
};
