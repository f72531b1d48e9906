import { availableParallelism } from 'node:os';
import { parseConfig, readEnvironment } from '@kilotoken/platform';
import { Command } from 'commander';
import { z } from 'zod';
import { number, numbers, readOptions } from './run.js';

/** What a run of `npm run bench:engine` measures. */
const engineBenchOptions = z
  .object({
    rounds: z.number().int().min(1).max(100),
    /** Tokens of each answer. */
    tokens: z.number().int().min(8).max(400),
    concurrency: z.array(z.number().int().min(1).max(256)).min(1),
    threads: z.number().int().min(1).max(1_024),
    slots: z.number().int().min(1).max(256),
    json: z.boolean(),
  })
  // The bare loop has no queue: it has a sequence for each request.
  .refine(({ concurrency, slots }) => concurrency.every((count) => count <= slots), 'no concurrency may be above the slots');

export type EngineBenchOptions = z.infer<typeof engineBenchOptions>;

const full = { rounds: 5, tokens: 96 };
const quick = { rounds: 3, tokens: 32 };

export const readEngineBenchOptions = (args: string[]): EngineBenchOptions => {
  const command = new Command('npm run bench:engine --')
    .description("Compares the worker, through its HTTP face, with bare loops over node-llama-cpp that have the same sequences.")
    .option('--rounds <count>', `counted rounds of each side (${full.rounds})`, number)
    .option('--tokens <count>', `tokens of each answer (${full.tokens})`, number)
    .option('--concurrency <list>', 'requests at once', numbers, [1, 2, 4, 8, 16])
    .option('--threads <count>', 'threads that compute, on every side', number, availableParallelism())
    .option('--slots <count>', 'sequences of every side', number, 16)
    .option('--quick', `short rounds: ${quick.rounds} of ${quick.tokens} tokens`, false);
  return readOptions(command, args, engineBenchOptions, { full, quick });
};

const environmentSchema = z.object({ KILOTOKEN_HOME: z.string().prefault('.kilotoken'), KILOTOKEN_MODEL_PATH: z.string().optional() });

/** Where the model is, as for `npm start`. */
export const readModelPlace = (): z.infer<typeof environmentSchema> => parseConfig(environmentSchema, readEnvironment());
