/**
 * Reads a file of usage row by row, JSON Lines or CSV, told apart by its first character. A row with a mistake is answered as one, so that
 * all of them are named; only a file that cannot be read on ends early. Memory is bounded by the longest row.
 */
import { CsvError, parse as parseCsv, type CsvErrorCode } from 'csv-parse';
import { parse as parseJson } from 'lossless-json';
import { formatPath, meters, mistakesOf, sideOf, usageRow, type PathMistake, type UsageRow } from '@kilotoken/pricing';
import { InputError } from './options.js';

const rowCharactersMax = 65_536;
const columnsMax = 100;

export type UsageRecord =
  | { readonly line: number; readonly row: UsageRow }
  /** `ends`: nothing after it can be read. */
  | { readonly line: number; readonly mistakes: readonly string[]; readonly ends?: true };

export const readUsage = async function* (texts: AsyncIterable<string>): AsyncGenerator<UsageRecord> {
  const source = texts[Symbol.asyncIterator]();
  let start = '';
  while (start.trim() === '') {
    const next = await source.next();
    if (next.done) return;
    start += next.value;
    if (start.length > rowCharactersMax && start.trim() === '') throw new InputError('begins with nothing but blanks');
  }
  const rest = resume(start, source);
  yield* start.trimStart().startsWith('{') ? readJsonLines(rest) : readCsv(rest);
};

const resume = async function* (start: string, source: AsyncIterator<string>): AsyncGenerator<string> {
  yield start;
  for (let next = await source.next(); !next.done; next = await source.next()) yield next.value;
};

const readJsonLines = async function* (texts: AsyncIterable<string>): AsyncGenerator<UsageRecord> {
  let line = 1;
  let left = '';
  for await (const text of texts) {
    left += text;
    let begin = 0;
    for (let end = left.indexOf('\n'); end >= 0; end = left.indexOf('\n', begin)) {
      const record = readJsonLine(left.slice(begin, end), line);
      if (record) yield record;
      line += 1;
      begin = end + 1;
    }
    left = left.slice(begin);
    if (left.length > rowCharactersMax) return yield { line, mistakes: [`has more than ${rowCharactersMax} characters in one line`], ends: true };
  }
  const last = readJsonLine(left, line);
  if (last) yield last;
};

const readJsonLine = (text: string, line: number): UsageRecord | null => {
  if (text.trim() === '') return null;
  if (text.length > rowCharactersMax) return { line, mistakes: [`has more than ${rowCharactersMax} characters`] };
  let value: unknown;
  try {
    value = parseJson(text, null, { parseNumber: (digits) => digits });
  } catch (error) {
    return { line, mistakes: [`is no JSON: ${error instanceof RangeError ? 'it is nested too deeply' : (error as Error).message}`] };
  }
  return check(value, line, (path) => formatPath(path));
};

const check = (value: unknown, line: number, describe: (path: PathMistake['path']) => string): UsageRecord => {
  const parsed = usageRow.safeParse(value);
  const mistakes = parsed.success ? [] : parsed.error.issues.flatMap((issue) => mistakesOf(issue, value)).map(({ path, message }) => [...(path.length === 0 ? [] : [describe(path)]), message].join(': '));
  if (!parsed.success) return { line, mistakes };
  const broken = Object.entries(parsed.data.quantities).filter(([meter, quantity]) => meter in sideOf && !isTokenCount(quantity!));
  return broken.length === 0 ? { line, row: parsed.data } : { line, mistakes: broken.map(([meter, quantity]) => `${meter}: is ${quantity}: tokens are whole, and at most 9007199254740991`) };
};

const isTokenCount = (quantity: string): boolean => /^\d{1,16}(\.0+)?$/.test(quantity) && Number.isSafeInteger(Number(quantity));

const fieldColumns = Object.keys(usageRow.shape).filter((column) => column !== 'quantities');
const columns = [...fieldColumns, ...meters];

/** Why a CSV file cannot be read on, in plain words. */
const csvProblems: Partial<Record<CsvErrorCode, string>> = {
  CSV_QUOTE_NOT_CLOSED: 'opens a quote that is never closed',
  CSV_INVALID_CLOSING_QUOTE: 'has text after a closing quote. Write a quote within quotes twice',
  CSV_MAX_RECORD_SIZE: `has more than ${rowCharactersMax} characters in one row, or a quote that is never closed`,
};

const readCsv = async function* (texts: AsyncIterable<string>): AsyncGenerator<UsageRecord> {
  const parser = parseCsv({ bom: true, info: true, relax_column_count: true, skip_empty_lines: true, trim: true, relax_quotes: true, max_record_size: rowCharactersMax });
  const fed = feed(parser, texts);
  let header: readonly string[] | null = null;
  let line = 1;
  try {
    for await (const item of parser as AsyncIterable<{ readonly record: readonly string[]; readonly info: { readonly lines: number } }>) {
      line = item.info.lines;
      if (header) yield readCsvRow(header, item.record, line);
      else {
        header = item.record;
        const mistakes = checkHeader(header);
        if (mistakes.length > 0) return yield { line, mistakes, ends: true };
      }
    }
    await fed;
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    yield { line: Number((error as { readonly lines?: number }).lines ?? line), mistakes: [csvProblems[error.code] ?? error.message], ends: true };
  } finally {
    parser.destroy();
    await fed.catch(() => undefined);
  }
};

/** Waits while the parser's buffer is full, so that a file is never in memory as a whole. */
const feed = async (parser: ReturnType<typeof parseCsv>, texts: AsyncIterable<string>): Promise<void> => {
  try {
    for await (const text of texts) {
      if (parser.destroyed) return;
      if (!parser.write(text)) await new Promise<void>((resolve) => parser.once('drain', resolve).once('close', resolve));
    }
    parser.end();
  } catch (error) {
    parser.destroy(error as Error);
  }
};

const checkHeader = (header: readonly string[]): string[] => {
  if (header.length > columnsMax) return [`has ${header.length} columns; there are ${columns.length}: ${columns.join(', ')}`];
  const unknown = header.filter((column) => !columns.includes(column)).map((column) => `names a column that is not known: ${JSON.stringify(column.slice(0, 60))}. Known are ${columns.join(', ')}`);
  const repeated = header.filter((column, index) => header.indexOf(column) !== index).map((column) => `names the column ${column} twice`);
  const missing = ['usage_id', 'at', 'model'].filter((column) => !header.includes(column)).map((column) => `lacks the column ${column}`);
  return [...unknown, ...repeated, ...missing];
};

/** An empty field says nothing about its column. */
const readCsvRow = (header: readonly string[], record: readonly string[], line: number): UsageRecord => {
  if (record.length !== header.length) return { line, mistakes: [`has ${record.length} fields, and the header ${header.length}`] };
  const fields: Record<string, unknown> = {};
  const quantities: Record<string, string> = {};
  for (const [index, column] of header.entries()) {
    const field = record[index]!;
    if (field === '') continue;
    if (fieldColumns.includes(column)) fields[column] = field;
    else quantities[column] = field;
  }
  return check({ ...fields, quantities }, line, (path) => String(path.at(-1)));
};
