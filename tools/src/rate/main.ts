import { createReadStream, openSync, fstatSync, closeSync, readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { CommanderError } from 'commander';
import { countersFile, formatMistake, formatPath, grantsFile, instantOf, mistakesOf, readPriceBook, readStructuredText, type CounterRow, type GrantRow, type PathMistake, type PriceBook } from '@kilotoken/pricing';
import type { z } from 'zod';
import type { Output } from '../kt/output.js';
import { checkGrants } from './grants.js';
import { InputError, readOptions, type Options } from './options.js';
import { createRater, type Rater } from './rater.js';
import { createJsonResult, createTableResult, type Result, type Write } from './result.js';
import { SeenIds } from './seen-ids.js';
import { decodeChunks } from './text-chunks.js';
import { readUsage } from './usage-file.js';

/** `npm run rate`: rates a file of usage with a price book, without a database. */
const exitCodes = { done: 0, ourFault: 1, invalidInput: 2 } as const;

/** Further ones are counted. */
const mistakesShownMax = 1_000;
const progressRows = 100_000;

export interface RateSurroundings {
  readonly callersFolder: string;
  readonly output: Output;
  readonly write: Write;
  readonly input: AsyncIterable<Uint8Array>;
}

/** Runs the command and returns its exit code. */
export const runRate = async (words: readonly string[], surroundings: RateSurroundings): Promise<number> => {
  const { output } = surroundings;
  try {
    const options = readOptions(words, output);
    const mistakes = new Mistakes(output);
    const files = await readFiles(options, surroundings, mistakes);
    return files ? await rateUsage(options, files, surroundings, mistakes) : mistakes.close();
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.invalidInput;
    if (!(error instanceof InputError)) {
      output.error(`Kilotoken failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
      return exitCodes.ourFault;
    }
    output.error(`${error.message}\n`);
    return exitCodes.invalidInput;
  }
};

/** Named as they are found; a file of nothing but mistakes does not fill the terminal. */
class Mistakes {
  count = 0;
  constructor(private readonly output: Output) {}

  add(text: string): void {
    this.count += 1;
    if (this.count <= mistakesShownMax) this.output.error(`${text}\n`);
  }

  close(): number {
    const more = this.count > mistakesShownMax ? `, of which ${mistakesShownMax} are shown` : '';
    this.output.error(`${this.count} ${this.count === 1 ? 'mistake' : 'mistakes'}${more}. Nothing was rated.\n`);
    return exitCodes.invalidInput;
  }
}

interface Files {
  readonly book: PriceBook;
  readonly counters: readonly CounterRow[];
  readonly grants: readonly GrantRow[] | null;
  readonly untilMs: number | null;
}

/** Null: there are mistakes, all of which were named; those of the usage are found when it is rated. */
const readFiles = async (options: Options, surroundings: RateSurroundings, mistakes: Mistakes): Promise<Files | null> => {
  const { book, warnings, mistakes: wrong } = readPriceBook(await readAll(options.book, surroundings));
  for (const mistake of wrong) mistakes.add(formatMistake(nameOf(options.book), mistake));
  for (const warning of warnings) surroundings.output.error(`Warning: ${formatMistake(nameOf(options.book), warning)}\n`);
  const grants = options.grants === null ? null : await readRows(options.grants, grantsFile, surroundings, mistakes, (rows) => checkGrants(rows).map(({ index, key, message }) => ({ path: [index, key], message })));
  const counters = options.counters === null ? [] : await readRows(options.counters, countersFile, surroundings, mistakes, (rows) => checkCounters(rows, book));
  let untilMs: number | null = null;
  if (options.until !== null) {
    untilMs = /^\d{4}-\d{2}-\d{2}(T.*)?$/.test(options.until) ? instantOf(options.until, book?.zone ?? 'UTC') : Number.NaN;
    if (Number.isNaN(untilMs)) mistakes.add(`--until: must be a date, such as 2026-02-01, or a moment with its offset, not ${options.until.slice(0, 60)}`);
  }
  return mistakes.count > 0 || !book ? null : { book, counters: counters ?? [], grants, untilMs };
};

const checkCounters = (rows: readonly CounterRow[], book: PriceBook | null): PathMistake[] =>
  rows.flatMap(({ accumulator }, index) => (!book || accumulator in book.accumulators ? [] : [{ path: [index, 'accumulator'], message: `names an accumulator that the book does not have: ${accumulator}. It has ${Object.keys(book.accumulators).join(', ') || 'none'}` }]));

const nameOf = (file: string): string => (file === '-' ? 'standard input' : basename(file));

const readAll = async (file: string, { callersFolder, input }: RateSurroundings): Promise<Uint8Array> => {
  if (file !== '-') return readFileSync(openedPath(file, callersFolder));
  const chunks: Uint8Array[] = [];
  for await (const chunk of input) chunks.push(chunk);
  return Buffer.concat(chunks);
};

/** The path of a file that can be read. */
const openedPath = (file: string, callersFolder: string): string => {
  const path = resolve(callersFolder, file);
  let descriptor: number | null = null;
  try {
    descriptor = openSync(path, 'r');
    if (fstatSync(descriptor).isDirectory()) throw new InputError(`${file}: is a folder, not a file`);
    return path;
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`${file}: cannot be read: ${(error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : (error as Error).message}`);
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
};

const readRows = async <Row>(file: string, schema: z.ZodType<Row[]>, surroundings: RateSurroundings, mistakes: Mistakes, check: (rows: readonly Row[]) => PathMistake[]): Promise<readonly Row[] | null> => {
  const reading = readStructuredText(await readAll(file, surroundings));
  if (!reading.ok) {
    for (const mistake of reading.mistakes) mistakes.add(formatMistake(nameOf(file), mistake));
    return null;
  }
  const { value, placeOf } = reading.result;
  const parsed = schema.safeParse(value);
  const found = parsed.success ? check(parsed.data) : parsed.error.issues.flatMap((issue) => mistakesOf(issue, value));
  for (const { path, message } of found) mistakes.add(formatMistake(nameOf(file), { ...placeOf(path), path: formatPath(path), message }));
  return parsed.success ? parsed.data : null;
};

const rateUsage = async (options: Options, { book, counters, grants, untilMs }: Files, surroundings: RateSurroundings, mistakes: Mistakes): Promise<number> => {
  const rater = createRater(book, counters, grants);
  const result = options.format === 'json' ? createJsonResult() : createTableResult();
  try {
    await rateRows(options, rater, result, surroundings, mistakes);
    if (mistakes.count > 0) return mistakes.close();
    if (untilMs !== null) for (const line of rater.close(untilMs)) await result.add(line);
    await result.print(rater.totals(), surroundings.write);
    return exitCodes.done;
  } finally {
    result.dispose();
  }
};

const rateRows = async ({ usage }: Options, rater: Rater, result: Result, { callersFolder, input, output }: RateSurroundings, mistakes: Mistakes): Promise<void> => {
  const seen = new SeenIds();
  const at = (line: number): string => `${nameOf(usage)}:${line}`;
  let rows = 0;
  try {
    const chunks = usage === '-' ? input : createReadStream(openedPath(usage, callersFolder), { highWaterMark: 256 * 1024 });
    for await (const record of readUsage(decodeChunks(chunks))) {
      rows += 1;
      if (rows % progressRows === 0) output.error(`${rows.toLocaleString('en')} rows of usage\n`);
      if ('mistakes' in record) {
        for (const message of record.mistakes) mistakes.add(`${at(record.line)}: ${message}`);
        if (record.ends) mistakes.add(`${at(record.line)}: nothing after this can be read`);
        continue;
      }
      const { row, line } = record;
      if (!seen.add(row.usage_id)) mistakes.add(`${at(line)}: usage_id: stands on an earlier line too: ${row.usage_id}. Each use is rated once`);
      const lines = rater.rate(row);
      if ('refused' in lines) mistakes.add(`${at(line)}: the book has no price for ${lines.refused} of ${row.model} at ${row.at}`);
      else if (mistakes.count === 0) for (const rated of lines) await result.add(rated);
    }
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    mistakes.add(error.message.startsWith(usage) ? error.message : `${nameOf(usage)}: ${error.message}`);
  }
};

/** Called by `rate.mjs`, which knows the caller's folder. */
export const main = (callersFolder: string): Promise<number> => {
  let isClosed = false;
  // The reader may close the pipe early (`… | head`).
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    isClosed = true;
  });
  const write: Write = (text) =>
    new Promise((done) => {
      if (isClosed) done();
      else process.stdout.write(text, () => done());
    });
  return runRate(process.argv.slice(2), {
    callersFolder,
    output: { out: (text) => void process.stdout.write(text), error: (text) => void process.stderr.write(text) },
    write,
    input: process.stdin,
  });
};
