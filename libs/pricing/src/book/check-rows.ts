/** Checks each row of a book by itself: its form, its steps, and the names that it uses. Pure. */
import type { PathMistake, Path } from './mistakes.js';
import type { BookWindow, PriceBook, PriceBookFile } from './price-book.js';

type RateRow = PriceBookFile['rates'][number];
type Price = RateRow['price'];
type Report = (path: Path, message: string) => void;

/** Compares exact decimal texts. */
const compareDecimals = (a: string, b: string): number => {
  const [left, right] = [a, b].map((text) => {
    const [wholePart, fraction = ''] = text.split('.');
    return BigInt(wholePart! + fraction.padEnd(12, '0'));
  });
  return left! < right! ? -1 : left! > right! ? 1 : 0;
};
const isZero = (text: string): boolean => /^[0.]+$/.test(text);

/** Rows that are null did not have the form of the schema, and were reported. */
export const checkRows = (file: PriceBookFile, rows: readonly (RateRow | null)[]): PathMistake[] => {
  const mistakes: PathMistake[] = [];
  const report: Report = (path, message) => mistakes.push({ path, message });
  for (const [index, row] of rows.entries()) if (row) checkRate(row, ['rates', index], report);
  for (const [index, { percent }] of (file.discounts ?? []).entries()) {
    if (typeof percent !== 'string') checkSteps(percent.steps, ['discounts', index, 'percent', 'steps'], report);
  }
  for (const [name, window] of Object.entries(file.windows ?? {})) checkWindow(window, ['windows', name], report);
  checkNames(file, rows, report);
  checkIds(file, rows, report);
  return mistakes;
};

const checkRate = (row: RateRow, path: Path, report: Report): void => {
  const isShared = row.price !== undefined || row.classes !== undefined;
  if (row.prices === undefined && !isShared) report(path, 'has no price: write prices: { input: …, output: … }, or classes and price');
  if (row.prices !== undefined && isShared) report(path, 'has both prices and price: write a rate for each');
  if (isShared && row.price === undefined) report(path, 'has classes without a price: write price, or null for no price');
  if (isShared && row.classes === undefined) report(path, 'has a price without classes: write which classes it is for');
  if (row.prices !== undefined && Object.keys(row.prices).length === 0) report([...path, 'prices'], 'must not be empty');
  const priced: [Path, Price][] = Object.entries(row.prices ?? {}).map(([meter, price]): [Path, Price] => [[...path, 'prices', meter], price]);
  if (row.price !== undefined) priced.push([[...path, 'price'], row.price]);
  for (const [at, price] of priced) checkPrice(price, row, at, report);
  if (priced.some(([, price]) => isPerUnit(price)) && row.per === undefined) report(path, 'has no per: write how many units an amount is for, such as per: 1000000');
  if (row.per !== undefined && isZero(row.per)) report([...path, 'per'], 'must be above 0');
  if (row.quantity && isZero(row.quantity.divide)) report([...path, 'quantity', 'divide'], 'must be above 0');
  if (row.minimum !== undefined && row.maximum !== undefined && compareDecimals(row.minimum, row.maximum) > 0) report([...path, 'maximum'], `is below the minimum of ${row.minimum}. Correct one of them`);
  const context = row.when?.context;
  if (context?.over !== undefined && context.up_to !== undefined && BigInt(context.over) >= BigInt(context.up_to)) {
    report([...path, 'when', 'context'], `is more than ${context.over} and at most ${context.up_to}: no request reaches it. Correct one of them`);
  }
};

const isPerUnit = (price: Price): boolean => typeof price === 'string' || (typeof price === 'object' && price !== null && !('package' in price) && !('blocks' in price));

const checkPrice = (price: Price, { per }: RateRow, path: Path, report: Report): void => {
  if (typeof price !== 'object' || price === null) return;
  if ('tiers' in price) checkSteps(price.steps, [...path, 'steps'], report);
  if ('package' in price && isZero(price.package)) report([...path, 'package'], 'must be above 0');
  if ('blocks' in price) checkBlocks(price.steps, [...path, 'steps'], report);
  if (('package' in price || 'blocks' in price) && per !== undefined && per !== '1') report(path, 'has sizes of its own: remove per from the row');
};

const checkSteps = (steps: readonly { readonly up_to?: string | undefined }[], path: Path, report: Report): void => {
  let reached = '0';
  for (const [index, { up_to }] of steps.entries()) {
    const isLast = index === steps.length - 1;
    if (up_to === undefined) {
      if (!isLast) report([...path, index], 'has no up_to, so that the steps after it are unreachable. Only the last step is open');
      continue;
    }
    if (isLast) report([...path, index, 'up_to'], `closes the last step: a quantity above ${up_to} would have no price. Remove up_to, or add a step without one`);
    if (compareDecimals(up_to, reached) <= 0) {
      report([...path, index, 'up_to'], index === 0 ? 'is 0, so that the step is unreachable. Remove the step' : `is not above ${reached}, where the step before ends: the two overlap and this one is unreachable. Put steps in rising order`);
    } else reached = up_to;
  }
};

const checkBlocks = (steps: readonly { readonly size: string; readonly blocks?: string | undefined }[], path: Path, report: Report): void => {
  for (const [index, { size, blocks }] of steps.entries()) {
    const isLast = index === steps.length - 1;
    if (isZero(size)) report([...path, index, 'size'], 'must be above 0');
    if (blocks !== undefined && isZero(blocks)) report([...path, index, 'blocks'], 'is 0, so that the step is unreachable. Remove the step');
    if (blocks === undefined && !isLast) report([...path, index], 'has no blocks, so that the steps after it are unreachable. Only the last step is open');
    if (blocks !== undefined && isLast) report([...path, index, 'blocks'], `closes the last step: more than ${blocks} blocks would have no price. Remove blocks, or add a step without it`);
  }
};

const checkWindow = ({ from = '00:00', to = '24:00' }: BookWindow, path: Path, report: Report): void => {
  if (from === to) report(path, `begins and ends at ${from}: ambiguous between never and all day. Leave out from and to for all day`);
  if (from === '24:00') report([...path, 'from'], 'is the end of the day. Write 00:00');
};

/** Names that a book defines, and uses elsewhere. */
const checkNames = (file: PriceBookFile, rows: readonly (RateRow | null)[], report: Report): void => {
  const known = (kind: string, names: readonly string[]) => (name: string, path: Path) => {
    if (!names.includes(name)) report(path, `names ${kind} that the book does not have: ${name}. ${names.length === 0 ? 'It has none' : `It has ${names.slice(0, 20).join(', ')}`}`);
  };
  const calendar = known('a calendar of holidays', Object.keys(file.holidays ?? {}));
  const window = known('a window', Object.keys(file.windows ?? {}));
  const accumulator = known('an accumulator', ['request', ...Object.keys(file.accumulators ?? {})]);
  const counter = known('an accumulator', Object.keys(file.accumulators ?? {}));
  const discount = known('a discount', (file.discounts ?? []).map(({ id }) => id));
  for (const [name, { holidays }] of Object.entries(file.windows ?? {})) {
    for (const [rule, of] of Object.entries(holidays ?? {})) calendar(of, ['windows', name, 'holidays', rule]);
  }
  for (const [index, row] of rows.entries()) {
    row?.when?.windows?.forEach((name, at) => window(name, ['rates', index, 'when', 'windows', at]));
    const prices: [Path, Price][] = Object.entries(row?.prices ?? {}).map(([meter, price]): [Path, Price] => [['rates', index, 'prices', meter], price]);
    for (const [path, price] of [...prices, [['rates', index, 'price'], row?.price] as [Path, Price]]) {
      if (typeof price === 'object' && price !== null && 'over' in price && price.over !== undefined) accumulator(price.over, [...path, 'over']);
    }
  }
  for (const [index, { when, percent }] of (file.discounts ?? []).entries()) {
    when?.windows?.forEach((name, at) => window(name, ['discounts', index, 'when', 'windows', at]));
    if (typeof percent !== 'string') counter(percent.over, ['discounts', index, 'percent', 'over']);
  }
  file.stacking?.forEach((row, index) => row.discounts.forEach((id, at) => discount(id, ['stacking', index, 'discounts', at])));
  if (file.accumulators && 'request' in file.accumulators) report(['accumulators', 'request'], 'is the name of the request itself. Choose another');
  const years: Path[] = [
    ...Object.entries(file.accumulators ?? {}).flatMap(([name, { period }]) => (period === 'contract_year' ? [['accumulators', name, 'period']] : [])),
    ...(['commitments', 'minimums', 'maximums'] as const).flatMap((kind) => (file[kind] ?? []).flatMap(({ period }, index) => (period === 'contract_year' ? [[kind, index, 'period']] : []))),
  ];
  if (!file.contract) for (const path of years) report(path, 'counts contract years, but the book does not say when the contract starts. Add contract: { starts: 2026-01-01 }');
};

const checkIds = (file: PriceBookFile, rows: readonly (RateRow | null)[], report: Report): void => {
  const repeated = (kind: string, ids: readonly (string | undefined)[]): void => {
    const seen = new Map<string, number>();
    for (const [index, id] of ids.entries()) {
      if (id === undefined) continue;
      const first = seen.get(id);
      if (first === undefined) seen.set(id, index);
      else report([kind, index, 'id'], `is the id of ${kind}[${first}] too: ${id}. Each needs its own`);
    }
  };
  repeated('rates', rows.map((row) => row?.id));
  repeated('discounts', (file.discounts ?? []).map(({ id }) => id));
  const terms = ['commitments', 'minimums', 'maximums'] as const;
  for (const kind of terms) repeated(kind, (file[kind] ?? []).map(({ id }) => id));
};

/** Definitions that no row uses: nothing is wrong with them, but somebody may have forgotten a row. */
export const findUnused = (book: PriceBook): PathMistake[] => {
  const windows = new Set([...book.rates, ...book.discounts].flatMap(({ when }) => when.windows ?? []));
  const overs = new Set([
    ...book.rates.flatMap(({ price }) => (price && 'over' in price && price.over !== undefined ? [price.over] : [])),
    ...book.discounts.flatMap(({ percent }) => (typeof percent === 'string' ? [] : [percent.over])),
  ]);
  const calendars = new Set(Object.values(book.windows).flatMap(({ holidays }) => Object.values(holidays ?? {})));
  const unused = (kind: string, names: readonly string[], used: ReadonlySet<string>): PathMistake[] => names.filter((name) => !used.has(name)).map((name) => ({ path: [kind, name], message: 'is used by no row' }));
  return [...unused('windows', Object.keys(book.windows), windows), ...unused('accumulators', Object.keys(book.accumulators), overs), ...unused('holidays', Object.keys(book.holidays), calendars)];
};
