import { Command } from 'commander';
import type { Output } from '../kt/output.js';

/** The options of `npm run rate`. A file named `-` is standard input. */
export interface Options {
  readonly book: string;
  readonly usage: string;
  readonly grants: string | null;
  readonly counters: string | null;
  readonly until: string | null;
  readonly format: 'json' | 'table';
}

/** A problem with the input of the command. */
export class InputError extends Error {}

const explained = `
It rates usage with a price book, by the engine that the gateway charges with, and needs no database.

  --book      a price book, JSON or YAML              docs/schemas/price-book.schema.json
  --usage     JSON Lines, or CSV with a header        docs/schemas/usage.schema.json
  --grants    JSON or YAML: what pays, in burn order  docs/schemas/grants.schema.json
  --counters  JSON or YAML: levels at the start       docs/schemas/counters.schema.json

Usage is rated in the order of its file. Paths are relative to the folder in which npm was called; one file may be - (standard input).
Standard output has the result alone: JSON (docs/schemas/rating.schema.json) or a table. Messages and progress go to standard error.

Exit codes: 0 done, 1 our fault, 2 invalid input (standard error names every mistake with its file and line; nothing was printed).

Examples:
  npm run -s rate -- --book prices.yaml --usage usage.jsonl
  npm run -s rate -- --book prices.yaml --usage usage.csv --format table
  npm run -s rate -- --book prices.yaml --usage - --grants grants.json < usage.jsonl
  npm run -s rate -- --book contract.yaml --usage january.csv --until 2026-02-01

docs/rating.md has an example of every kind of price.
`;

/** Throws a CommanderError, or an InputError for options that exclude each other. */
export const readOptions = (words: readonly string[], output: Output): Options => {
  const command = new Command('npm run -s rate --')
    .description('Rates a file of usage with a price book: every line exact, every mistake named.')
    .requiredOption('--book <file>', 'the price book')
    .requiredOption('--usage <file>', 'the usage')
    .option('--grants <file>', 'grants that pay for it')
    .option('--counters <file>', 'levels of accumulators before it')
    .option('--until <moment>', 'also end the periods up to this moment: true-ups, minimums and shortfalls')
    .option('--format <format>', 'json or table', 'json')
    .addHelpText('after', explained)
    .configureOutput({ writeOut: (text) => output.out(text), writeErr: (text) => output.error(text) })
    .showHelpAfterError('(add --help to see the options and the formats of the files)')
    .allowExcessArguments(false)
    .exitOverride();
  command.parse([...words], { from: 'user' });
  const { book, usage, grants = null, counters = null, until = null, format } = command.opts<{ book: string; usage: string; grants?: string; counters?: string; until?: string; format: string }>();
  if (format !== 'json' && format !== 'table') throw new InputError(`--format: must be json or table, not ${format}`);
  if ([book, usage, grants, counters].filter((file) => file === '-').length > 1) throw new InputError('only one file can be - (standard input)');
  return { book, usage, grants, counters, until, format };
};
