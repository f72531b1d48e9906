import { Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { number, numbers, readOptions } from './run.js';

/** The options of `npm run bench`. */
export const modes = ['json', 'stream'] as const;
export type Mode = (typeof modes)[number];

const roundsMax = 100;
const secondsMax = 600;
const connectionsMax = 1_024;
const organizationsMax = 1_000_000;

const gatewayBenchOptions = z.object({
  rounds: z.number().int().min(1).max(roundsMax),
  seconds: z.number().min(0.5).max(secondsMax),
  /** Load before the first round of a mode: a process whose code is not compiled yet runs at two thirds of its speed. */
  warmUpSeconds: z.number().min(0.5).max(secondsMax),
  connections: z.array(z.number().int().min(1).max(connectionsMax)).min(1),
  modes: z.array(z.enum(modes)).min(1),
  json: z.boolean(),
  /** Compares the gateway with the bare proxy. Off: only the other named parts run. */
  compare: z.boolean(),
  heap: z.boolean(),
  /** The number of stored organizations over which load is spread; 0 skips that part. */
  organizations: z.number().int().min(0).max(organizationsMax),
  /** The organization is under limits, one window of each kind, none of them ever reached. */
  limits: z.boolean(),
  /** The gateway exports traces of one request in a hundred to a collector on this machine. */
  tracing: z.boolean(),
  /** A folder for the gateway's CPU profiles; null: no profiles. */
  profile: z.string().nullable().default(null),
  /** More settings of gateway and metering, for experiments. */
  set: z.record(z.string(), z.string()),
  /** More settings of Postgres, for experiments. */
  postgres: z.record(z.string(), z.string()),
});

export type GatewayBenchOptions = z.infer<typeof gatewayBenchOptions>;

const full = { rounds: 5, seconds: 5, warmUpSeconds: 10 };
/** For development: shows a change of some ten percent. */
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
    .option('--connections <list>', 'numbers of connections of the client', numbers, [32, 64, 128])
    .option('--modes <list>', 'json, stream', words, [...modes])
    .option('--quick', `short rounds: ${quick.rounds} of ${quick.seconds} s`, false)
    .option('--no-compare', 'skip the comparison: run only the other named parts')
    .option('--heap', 'measure the heap after 200,000 and after 1,000,000 requests', false)
    .option('--organizations <count>', 'store this many organizations and spread the load over 1,000 of them, then over all', number, 0)
    .option('--limits', 'put the organization under limits of each kind, none of them reached', false)
    .option('--tracing', 'export traces of one request in a hundred to a collector on this machine', false)
    .option('--profile <folder>', 'write a CPU profile of the gateway for each mode and number of connections, and print the shares of its time')
    .option('--set <name=value>', 'a setting of the gateway and metering, for an experiment', pair, {})
    .option('--postgres <name=value>', 'a setting of Postgres, for an experiment', pair, {});
  return readOptions(command, args, gatewayBenchOptions, { full, quick });
};
