/** Puts a book's rows into the one form that the engine reads: defaults filled in, one price a rate, an id for each. */
import type { Meter } from './book-values.js';
import type { BookAccumulator, BookConditions, BookDiscount, BookRate, PeriodTerm, PriceBook, PriceBookFile } from './price-book.js';

type RateRow = PriceBookFile['rates'][number];
type Term = NonNullable<PriceBookFile['commitments']>[number];

/** The book, and the path of each rate in the file, by its position in `rates`. */
export interface NormalizedBook {
  readonly book: PriceBook;
  readonly ratePaths: readonly (readonly (string | number)[])[];
}

export const normalizeBook = (file: PriceBookFile): NormalizedBook => {
  const rates = file.rates.flatMap((row, index) => ratesOf(row, index, file.currency));
  const term = (row: Term): PeriodTerm => ({ ...row, currency: row.currency ?? file.currency, of: row.of ?? 'organization', models: row.models ?? null });
  const book: PriceBook = {
    book: file.book,
    currency: file.currency,
    zone: file.zone ?? 'UTC',
    effective_at: file.effective_at ?? null,
    contract: file.contract ?? null,
    holidays: file.holidays ?? {},
    windows: file.windows ?? {},
    accumulators: Object.fromEntries(Object.entries(file.accumulators ?? {}).map(([name, row]) => [name, accumulatorOf(row)])),
    aliases: file.aliases ?? [],
    rates: rates.map(({ rate }) => rate),
    discounts: (file.discounts ?? []).map((row): BookDiscount => ({ ...row, models: row.models ?? '*', classes: row.classes ?? null, when: row.when ?? {} })),
    stacking: file.stacking ?? [],
    commitments: (file.commitments ?? []).map(term),
    minimums: (file.minimums ?? []).map(term),
    maximums: (file.maximums ?? []).map(term),
  };
  return { book, ratePaths: rates.map(({ path }) => path) };
};

const accumulatorOf = ({ counts, models = undefined, period, of = 'organization', packs = 'include' }: NonNullable<PriceBookFile['accumulators']>[string]): BookAccumulator => ({
  counts: counts === 'tokens' || counts === 'amount' ? counts : counts === 'requests' ? ['request'] : Array.isArray(counts) ? counts : [counts],
  models: models ?? null,
  period,
  of,
  packs,
});

interface PlacedRate {
  readonly rate: BookRate;
  readonly path: readonly (string | number)[];
}

const ratesOf = (row: RateRow, index: number, bookCurrency: string): PlacedRate[] => {
  const { id, models, when = {}, currency = bookCurrency, per = '1', prices = {}, classes, price, ...modifiers } = row;
  const make = (rateClasses: readonly Meter[], rateId: string, ratePrice: NonNullable<typeof prices>[Meter]): BookRate => ({
    ...modifiers,
    id: rateId,
    models,
    classes: rateClasses,
    when,
    currency,
    per,
    price: typeof ratePrice === 'string' ? { amount: ratePrice } : (ratePrice ?? null),
  });
  const words = (rateClasses: readonly Meter[]): string => describeRate(models, rateClasses, when, currency === bookCurrency ? null : currency);
  const priced = Object.entries(prices) as [Meter, NonNullable<typeof prices>[Meter]][];
  const rates = priced.map(([meter, of]): PlacedRate => ({ rate: make([meter], id === undefined ? words([meter]) : `${id}/${meter}`, of), path: ['rates', index, 'prices', meter] }));
  if (classes && price !== undefined) rates.push({ rate: make(classes, id ?? words(classes), price), path: ['rates', index] });
  return rates;
};

/** An id that says what the rate selects, and so stays the same when rows move: `qwen3-max/input/context>32000`. */
const describeRate = (models: RateRow['models'], classes: readonly Meter[], when: BookConditions, currency: string | null): string => {
  const list = (names: readonly string[]): string => names.join('+');
  const { context, from, until, ...lists } = when;
  return [
    models === '*' ? '*' : list(models),
    list(classes),
    ...(context?.over === undefined ? [] : [`context>${context.over}`]),
    ...(context?.up_to === undefined ? [] : [`context<=${context.up_to}`]),
    ...Object.entries(lists).map(([condition, names]) => `${condition}=${list(names)}`),
    ...(from === undefined ? [] : [`from=${from}`]),
    ...(until === undefined ? [] : [`until=${until}`]),
    ...(currency === null ? [] : [currency]),
  ].join('/');
};
