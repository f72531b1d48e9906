import { availableParallelism } from 'node:os';
import { parseConfig, readEnvironment } from '@kilotoken/platform';
import { Command } from 'commander';
import { z } from 'zod';
import { number, numbers, readOptions } from './run.js';

/** The options of `npm run bench:engine`. */
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
  // The bare loop has no queue, but a sequence for each request.
  .refine(({ concurrency, slots }) => concurrency.every((count) => count <= slots), 'a concurrency is above the slots');

export type EngineBenchOptions = z.infer<typeof engineBenchOptions>;

const full = { rounds: 5, tokens: 96 };
const quick = { rounds: 3, tokens: 32 };

export const readEngineBenchOptions = (args: string[]): EngineBenchOptions => {
  const command = new Command('npm run bench:engine --')
    .description("Compares the worker, through its HTTP face, with bare loops over node-llama-cpp on the same sequences.")
    .option('--rounds <count>', `counted rounds of each side (${full.rounds})`, number)
    .option('--tokens <count>', `tokens of each answer (${full.tokens})`, number)
    .option('--concurrency <list>', 'requests at once', numbers, [1, 2, 4, 8, 16])
    .option('--threads <count>', 'computing threads of every side', number, availableParallelism())
    .option('--slots <count>', 'sequences of every side', number, 16)
    .option('--quick', `short rounds: ${quick.rounds} of ${quick.tokens} tokens`, false);
  return readOptions(command, args, engineBenchOptions, { full, quick });
};

const environmentSchema = z.object({ KILOTOKEN_HOME: z.string().prefault('.kilotoken'), KILOTOKEN_MODEL_PATH: z.string().optional() });

/** Finds the model, as `npm start` does. */
export const readModelPlace = (): z.infer<typeof environmentSchema> => parseConfig(environmentSchema, readEnvironment());
