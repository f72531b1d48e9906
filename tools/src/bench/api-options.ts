import { Command } from 'commander';
import { z } from 'zod';
import { number, readOptions } from './run.js';

/** The options of `npm run bench:api`. */
const rowsMax = 20_000_000;
const organizationsMax = 100_000;

const apiBenchOptions = z.object({
  rounds: z.number().int().min(1).max(100),
  seconds: z.number().min(0.5).max(600),
  /** Load on each side before the first round of an operation: V8 compiles, Postgres caches. */
  warmUpSeconds: z.number().min(0.5).max(600),
  connections: z.number().int().min(1).max(1_024),
  /** Usage rows; a fifth of them are of the organization that is asked about. */
  rows: z.number().int().min(10_000).max(rowsMax),
  organizations: z.number().int().min(10).max(organizationsMax),
  json: z.boolean(),
  /** A folder for CPU profiles of the api; null takes none. */
  profile: z.string().nullable().default(null),
});
export type ApiBenchOptions = z.infer<typeof apiBenchOptions>;

const full = { rounds: 5, seconds: 4, warmUpSeconds: 8, rows: 1_000_000, organizations: 10_000 };
/** For development: enough to see a change of some ten percent. */
const quick = { rounds: 3, seconds: 2, warmUpSeconds: 3, rows: 100_000, organizations: 1_000 };

export const readApiBenchOptions = (args: string[]): ApiBenchOptions => {
  const command = new Command('npm run bench:api --')
    .description("Compares the api's GraphQL, in production mode, with a hand-written Fastify and pg route that gives the same answers.")
    .option('--rounds <count>', `counted rounds of each side (${full.rounds})`, number)
    .option('--seconds <count>', `length of a round (${full.seconds})`, number)
    .option('--warm-up-seconds <count>', `load on each side before the first round of an operation (${full.warmUpSeconds})`, number)
    .option('--connections <count>', 'how many connections the client has', number, 16)
    .option('--rows <count>', `how many usage rows are stored (${full.rows})`, number)
    .option('--organizations <count>', `how many organizations they are of (${full.organizations})`, number)
    .option('--quick', `short rounds and few rows: ${quick.rounds} of ${quick.seconds} s, ${quick.rows} rows`, false)
    .option('--profile <folder>', 'write a CPU profile of the api for each operation, and print where its time goes');
  return readOptions(command, args, apiBenchOptions, { full, quick });
};
