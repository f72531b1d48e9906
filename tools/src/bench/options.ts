import { Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { number, numbers, readOptions } from './run.js';

/** What a run of `npm run bench` measures. */
export const modes = ['json', 'stream'] as const;
export type Mode = (typeof modes)[number];

const roundsMax = 100;
const secondsMax = 600;
const connectionsMax = 1_024;
const organizationsMax = 1_000_000;

const gatewayBenchOptions = z.object({
  rounds: z.number().int().min(1).max(roundsMax),
  seconds: z.number().min(0.5).max(secondsMax),
  /** Load before the first round of a mode: a process that has compiled little yet answers at two thirds of its speed. */
  warmUpSeconds: z.number().min(0.5).max(secondsMax),
  connections: z.array(z.number().int().min(1).max(connectionsMax)).min(1),
  modes: z.array(z.enum(modes)).min(1),
  json: z.boolean(),
  /** Whether the gateway is compared with the bare proxy; off when only another part is wanted. */
  compare: z.boolean(),
  heap: z.boolean(),
  /** How many organizations are stored for the part that spreads the load; 0 leaves it out. */
  organizations: z.number().int().min(0).max(organizationsMax),
  /** Whether the organization is under limits, a window of each kind, none of them ever reached. */
  limits: z.boolean(),
  /** Whether traces are made: one request in a hundred, exported to a collector on this machine. */
  tracing: z.boolean(),
  /** A folder for CPU profiles of the gateway; null takes none. */
  profile: z.string().nullable().default(null),
  /** Further settings of the gateway and metering, for experiments. */
  set: z.record(z.string(), z.string()),
  /** Further settings of Postgres, for experiments. */
  postgres: z.record(z.string(), z.string()),
});

export type GatewayBenchOptions = z.infer<typeof gatewayBenchOptions>;

const full = { rounds: 5, seconds: 5, warmUpSeconds: 10 };
/** For development: enough to see a change of some ten percent. */
const quick = { rounds: 3, seconds: 2, warmUpSeconds: 5 };

const words = (text: string): string[] => text.split(',');

const pair = (text: string, before: Record<string, string>): Record<string, string> => {
  const [, name, value] = /^([A-Za-z_.]+)=(.*)$/.exec(text) ?? [];
  if (!name) throw new InvalidArgumentError('It must be name=value.');
  return { ...before, [name]: value! };
};

export const readGatewayBenchOptions = (args: string[]): GatewayBenchOptions => {
  const command = new Command('npm run bench --')
    .description('Compares the gateway, with everything on, with a bare Fastify and undici proxy before the same vendor.')
    .option('--rounds <count>', `counted rounds of each side (${full.rounds})`, number)
    .option('--seconds <count>', `length of a round (${full.seconds})`, number)
    .option('--warm-up-seconds <count>', `load on each side before the first round of a mode (${full.warmUpSeconds})`, number)
    .option('--connections <list>', 'how many connections the client has', numbers, [32, 64, 128])
    .option('--modes <list>', 'json, stream', words, [...modes])
    .option('--quick', `short rounds: ${quick.rounds} of ${quick.seconds} s`, false)
    .option('--no-compare', 'leave the comparison out: only the parts that are named')
    .option('--heap', 'measure the heap after 200,000 and after 1,000,000 requests', false)
    .option('--organizations <count>', 'store so many organizations and spread the load over 1,000 of them, then over all', number, 0)
    .option('--limits', 'put the organization under limits of each kind, none of them reached', false)
    .option('--tracing', 'export traces of one request in a hundred to a collector on this machine', false)
    .option('--profile <folder>', 'write a CPU profile of the gateway for each mode and number of connections, and print where its time goes')
    .option('--set <name=value>', 'a setting of the gateway and metering, for an experiment', pair, {})
    .option('--postgres <name=value>', 'a setting of Postgres, for an experiment', pair, {});
  return readOptions(command, args, gatewayBenchOptions, { full, quick });
};
