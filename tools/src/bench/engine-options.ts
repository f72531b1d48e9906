import { availableParallelism } from 'node:os';
import { parseConfig, readEnvironment } from '@kilotoken/platform';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { z } from 'zod';

/** What a run of `npm run bench:engine` measures. */
const optionsSchema = z.object({
  rounds: z.number().int().min(1).max(100),
  /** Tokens of each answer. */
  tokens: z.number().int().min(8).max(400),
  concurrency: z.array(z.number().int().min(1).max(256)).min(1),
  threads: z.number().int().min(1).max(1_024),
  slots: z.number().int().min(1).max(256),
  json: z.boolean(),
});

export type EngineBenchOptions = z.infer<typeof optionsSchema>;

/** The bare loop has no queue: it has a sequence for each request. */
const engineBenchOptions = optionsSchema.refine(({ concurrency, slots }) => concurrency.every((count) => count <= slots), 'no concurrency may be above the slots');

const full = { rounds: 5, tokens: 96 };
const quick = { rounds: 3, tokens: 32 };

const number = (text: string): number => {
  const value = Number(text);
  if (!Number.isFinite(value)) throw new InvalidArgumentError('A number is needed.');
  return value;
};

/** Ends the process with a message when the arguments are wrong, and with the help when it was asked for. */
export const readEngineBenchOptions = (args: string[]): EngineBenchOptions => {
  const command = new Command('npm run bench:engine --')
    .description("Compares the worker, through its HTTP face, with bare loops over node-llama-cpp that have the same sequences.")
    .option('--rounds <count>', `counted rounds of each side (${full.rounds})`, number)
    .option('--tokens <count>', `tokens of each answer (${full.tokens})`, number)
    .option('--concurrency <list>', 'requests at once', (text) => text.split(',').map(number), [1, 2, 4, 8, 16])
    .option('--threads <count>', 'threads that compute, on every side', number, availableParallelism())
    .option('--slots <count>', 'sequences of every side', number, 16)
    .option('--quick', `short rounds: ${quick.rounds} of ${quick.tokens} tokens`, false)
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
  const parsed = engineBenchOptions.safeParse({ ...(given['quick'] ? quick : full), ...given });
  if (parsed.success) return parsed.data;
  process.stderr.write(`${z.prettifyError(parsed.error)}\n`);
  process.exit(1);
};

const environmentSchema = z.object({ KILOTOKEN_HOME: z.string().prefault('.kilotoken'), KILOTOKEN_MODEL_PATH: z.string().optional() });

/** Where the model is, as for `npm start`. */
export const readModelPlace = (): z.infer<typeof environmentSchema> => parseConfig(environmentSchema, readEnvironment());
