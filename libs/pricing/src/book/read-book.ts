/** Reads and checks a price book: answers the book, or every mistake with its place. Pure. */
import { checkCoverage } from './check-coverage.js';
import { checkRows, findUnused } from './check-rows.js';
import { readStructuredText, type StructuredText } from './book-file.js';
import { mistakesOf, formatPath, type Mistake, type PathMistake } from './mistakes.js';
import { normalizeBook } from './normalize.js';
import { bookRateRow, priceBookFile, type PriceBook, type PriceBookFile } from './price-book.js';

export interface BookCheck {
  /** Null: there are mistakes. */
  readonly book: PriceBook | null;
  readonly mistakes: readonly Mistake[];
  /** Right, but perhaps not meant. */
  readonly warnings: readonly Mistake[];
}

export const readPriceBook = (bytes: Uint8Array): BookCheck => {
  const reading = readStructuredText(bytes);
  if (!reading.ok) return { book: null, mistakes: reading.mistakes, warnings: [] };
  const { value, placeOf } = reading.result;
  const { book, mistakes, warnings } = checkPriceBook(value);
  const placed = (found: readonly PathMistake[]): Mistake[] => found.map((mistake) => place(mistake, placeOf)).sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
  return { book, mistakes: placed(mistakes), warnings: placed(warnings) };
};

const place = ({ path, message }: PathMistake, placeOf: StructuredText['placeOf']): Mistake => ({ ...placeOf(path), path: formatPath(path), message });

export interface ValueCheck {
  readonly book: PriceBook | null;
  readonly mistakes: readonly PathMistake[];
  readonly warnings: readonly PathMistake[];
}

/** Checks a book that is no text. Rows that lack the form of the schema are left out of the checks of all rows together. */
export const checkPriceBook = (value: unknown): ValueCheck => {
  const parsed = priceBookFile.safeParse(value);
  const mistakes: PathMistake[] = parsed.success ? [] : parsed.error.issues.flatMap((issue) => mistakesOf(issue, value));
  const rows = parsed.success ? parsed.data.rates : ratesOf(value).map((row) => bookRateRow.safeParse(row).data ?? null);
  const file = parsed.success ? parsed.data : salvage(value, rows, mistakes);
  if (!file) return { book: null, mistakes, warnings: [] };
  mistakes.push(...checkRows(file, rows));
  const isPartial = !parsed.success || mistakes.some(({ path }) => path[0] === 'rates' && path.length === 2);
  const normalized = normalizeBook(file);
  const kept = rows.flatMap((row, index) => (row ? [index] : []));
  const ratePaths = normalized.ratePaths.map(([kind, index, ...rest]) => [kind!, kept[Number(index)]!, ...rest]);
  const coverage = checkCoverage({ book: normalized.book, ratePaths }, isPartial);
  mistakes.push(...coverage.mistakes);
  if (mistakes.length > 0) return { book: null, mistakes, warnings: coverage.warnings };
  return { book: normalized.book, mistakes, warnings: [...coverage.warnings, ...findUnused(normalized.book)] };
};

const ratesOf = (value: unknown): readonly unknown[] => {
  const rates: unknown = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)['rates'] : undefined;
  return Array.isArray(rates) ? rates : [];
};

/** The book without its wrong rates, where wrong rates are all that is wrong. */
const salvage = (value: unknown, rows: readonly unknown[], mistakes: readonly PathMistake[]): PriceBookFile | null => {
  if (!mistakes.every(({ path }) => path[0] === 'rates' && typeof path[1] === 'number')) return null;
  return priceBookFile.safeParse({ ...(value as Record<string, unknown>), rates: ratesOf(value).filter((_, index) => rows[index]) }).data ?? null;
};
