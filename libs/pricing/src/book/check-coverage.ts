/**
 * Checks a book's rates against each other: two that can match the same usage and are equally specific, prompt lengths and times between rates
 * that have no price, classes that a model lacks, and rows that no usage can reach. Pure.
 *
 *   input  context up to 32,000        input  context over 64,000
 *                             └── gap ──┘ 33,000 tokens of prompt have no price
 */
import { countConditions } from '../engine/select.js';
import { instantOf } from '../engine/zone-clock.js';
import { sideOf, type Meter } from './book-values.js';
import { formatPath, type Path, type PathMistake } from './mistakes.js';
import type { BookConditions, BookRate, BookWindow, PriceBook } from './price-book.js';
import type { NormalizedBook } from './normalize.js';

export interface CoverageReport {
  readonly mistakes: readonly PathMistake[];
  readonly warnings: readonly PathMistake[];
}

/** Rates of one model and class are compared by pairs. */
const ratesOfOneClassMax = 2_000;

interface PlacedRate {
  readonly rate: BookRate;
  readonly path: Path;
}

/** Half open: more than `over`, at most `upTo`, or from `over` on and before `upTo`. */
interface Span {
  readonly over: number;
  readonly upTo: number;
}

type Axis = 'context' | 'dates';

/** `isPartial`: rows are missing because they have mistakes of their own, so that gaps would not be true. */
export const checkCoverage = ({ book, ratePaths }: NormalizedBook, isPartial: boolean): CoverageReport => {
  const groups = groupRates(book, ratePaths);
  const mistakes = [...findNever(book, ratePaths), ...findUncounted(book, ratePaths), ...dropRepeated([...groups.values()].flatMap((group) => findOverlaps(group, book)))];
  if (isPartial) return { mistakes, warnings: [] };
  const closed: PathMistake[] = [];
  for (const [key, group] of groups) {
    const general = groups.get(key.replace(/^[^\n]*/, '*')) ?? [];
    const fallback = general === group ? [] : general;
    for (const axis of ['context', 'dates'] as const) {
      const holes = findHoles(group, fallback, axis, book);
      mistakes.push(...holes.mistakes);
      closed.push(...holes.warnings);
      mistakes.push(...findCovered(group, axis, book));
    }
  }
  mistakes.push(...findMissingClasses(book, ratePaths), ...findUnselected(book));
  return { mistakes: dropRepeated(mistakes), warnings: dropRepeated(closed) };
};

/** A rate of several models has each of its mistakes once. */
const dropRepeated = (mistakes: readonly PathMistake[]): PathMistake[] => [...new Map(mistakes.map((mistake) => [`${formatPath(mistake.path)}\n${mistake.message}`, mistake])).values()];

/** By model, class and currency. */
const groupRates = ({ rates }: PriceBook, paths: NormalizedBook['ratePaths']): Map<string, PlacedRate[]> => {
  const groups = new Map<string, PlacedRate[]>();
  for (const [index, rate] of rates.entries()) {
    for (const model of modelsOf(rate.models)) {
      for (const meter of new Set(rate.classes)) {
        const key = `${model}\n${meter}\n${rate.currency}`;
        const group = groups.get(key);
        if (group) group.push({ rate, path: paths[index]! });
        else groups.set(key, [{ rate, path: paths[index]! }]);
      }
    }
  }
  return groups;
};

const modelsOf = (models: '*' | readonly string[]): readonly string[] => (models === '*' ? ['*'] : [...new Set(models.map((model) => model.toLowerCase()))]);

const findOverlaps = (group: readonly PlacedRate[], book: PriceBook): PathMistake[] => {
  if (group.length > ratesOfOneClassMax) return [{ path: group[ratesOfOneClassMax]!.path, message: `is one of more than ${ratesOfOneClassMax} rates of one model and class. Divide the book` }];
  return group.flatMap(({ rate, path }, index) =>
    group.slice(0, index).flatMap((earlier): PathMistake[] => {
      if (countConditions(rate.when) !== countConditions(earlier.rate.when) || !canBothHold(rate.when, earlier.rate.when, book)) return [];
      return [{ path, message: `overlaps ${formatPath(earlier.path)}: both match the same usage of ${rate.classes.join(', ')} and neither is more specific. Make their conditions exclude each other, or remove one` }];
    }),
  );
};

const canBothHold = (a: BookConditions, b: BookConditions, book: PriceBook): boolean =>
  intersect(contextOf(a), contextOf(b)) &&
  intersect(datesOf(a, book.zone), datesOf(b, book.zone)) &&
  (['tiers', 'modes', 'regions'] as const).every((key) => !a[key] || !b[key] || a[key].some((name) => b[key]!.includes(name))) &&
  (!a.windows || !b.windows || a.windows.some((one) => b.windows!.some((other) => one === other || windowsMeet(book.windows[one], book.windows[other], book.zone))));

const intersect = (a: Span, b: Span): boolean => Math.max(a.over, b.over) < Math.min(a.upTo, b.upTo);

const contextOf = ({ context }: BookConditions): Span => ({ over: context?.over === undefined ? -1 : Number(context.over), upTo: context?.up_to === undefined ? Infinity : Number(context.up_to) });

const datesOf = ({ from, until }: BookConditions, zone: string): Span => ({ over: from === undefined ? -Infinity : instantOf(from, zone), upTo: until === undefined ? Infinity : instantOf(until, zone) });

const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
const dayMinutes = 1_440;
const minuteOf = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3));

/** Whether two windows share a minute of some week. Windows of different zones are taken to. */
const windowsMeet = (a: BookWindow | undefined, b: BookWindow | undefined, zone: string): boolean => {
  if (!a || !b) return false;
  const [left, right] = [a.holidays ?? {}, b.holidays ?? {}] as Record<string, string | undefined>[];
  if ((left!['only'] !== undefined && left!['only'] === right!['exclude']) || (right!['only'] !== undefined && right!['only'] === left!['exclude'])) return false;
  if ((a.zone ?? zone) !== (b.zone ?? zone)) return true;
  const others = weekOf(b);
  return weekOf(a).some((span) => others.some((other) => [-7, 0, 7].some((days) => intersect({ over: span.over + days * dayMinutes, upTo: span.upTo + days * dayMinutes }, other))));
};

/** A holiday can be any day of the week. */
const weekOf = ({ days, from = '00:00', to = '24:00', holidays }: BookWindow): Span[] => {
  const length = minuteOf(to) - minuteOf(from);
  return weekdays.flatMap((day, index) => {
    if (days && !days.includes(day) && !(holidays && 'include' in holidays)) return [];
    const over = index * dayMinutes + minuteOf(from);
    return [{ over, upTo: over + (length > 0 ? length : length + dayMinutes) }];
  });
};

const spanOn = (axis: Axis, when: BookConditions, zone: string): Span => (axis === 'context' ? contextOf(when) : datesOf(when, zone));

const without = (axis: Axis, when: BookConditions): BookConditions => {
  const { context, from, until, ...others } = when;
  return axis === 'context' ? { ...others, ...(from === undefined ? {} : { from }), ...(until === undefined ? {} : { until }) } : { ...others, ...(context ? { context } : {}) };
};

const signatureOf = (when: BookConditions): string => JSON.stringify(Object.entries(when).sort(([a], [b]) => (a < b ? -1 : 1)));
const hasAxis = (axis: Axis, { context, from, until }: BookConditions): boolean => (axis === 'context' ? context !== undefined : from !== undefined || until !== undefined);

/** Whether usage that meets `when` meets all of `general`'s conditions too. */
const isImplied = (general: BookConditions, when: BookConditions): boolean => Object.entries(general).every(([key, value]) => JSON.stringify(value) === JSON.stringify(when[key as keyof BookConditions]));

/** The holes between spans, from `start` on; the last one reaches to Infinity. */
const holesOf = (spans: readonly Span[], start: number): Span[] => {
  const holes: Span[] = [];
  let reached = start;
  for (const { over, upTo } of [...spans].sort((a, b) => a.over - b.over)) {
    if (over > reached) holes.push({ over: reached, upTo: over });
    reached = Math.max(reached, upTo);
  }
  if (reached < Infinity) holes.push({ over: reached, upTo: Infinity });
  return holes;
};

const findHoles = (group: readonly PlacedRate[], fallback: readonly PlacedRate[], axis: Axis, { zone }: PriceBook): CoverageReport => {
  const report = { mistakes: [] as PathMistake[], warnings: [] as PathMistake[] };
  const bySignature = new Map<string, PlacedRate[]>();
  for (const placed of group) {
    if (!hasAxis(axis, placed.rate.when)) continue;
    const signature = signatureOf(without(axis, placed.rate.when));
    bySignature.set(signature, [...(bySignature.get(signature) ?? []), placed]);
  }
  for (const banded of bySignature.values()) {
    const others = without(axis, banded[0]!.rate.when);
    const matching = [...group, ...fallback].filter(({ rate }) => isImplied(without(axis, rate.when), others)).map(({ rate }) => spanOn(axis, rate.when, zone));
    const start = axis === 'context' ? -1 : Math.min(...matching.map(({ over }) => over));
    for (const hole of holesOf(matching, start)) {
      // Prices may end on a day; nothing is between them then.
      if (axis === 'dates' && hole.upTo === Infinity) continue;
      const after = banded.find(({ rate }) => spanOn(axis, rate.when, zone).over === hole.upTo);
      const before = banded.find(({ rate }) => spanOn(axis, rate.when, zone).upTo === hole.over);
      const path = [...(after ?? before ?? banded[0]!).path.slice(0, 2), 'when', ...(axis === 'context' ? ['context'] : [])];
      if (hole.upTo === Infinity) report.warnings.push({ path, message: `prompts of more than ${hole.over} tokens have no price and are refused` });
      else report.mistakes.push({ path, message: `leaves a gap: ${describeHole(axis, hole)} ${(after ?? banded[0]!).rate.classes.join(', ')} has no price. Make the rates meet` });
    }
  }
  return report;
};

const describeHole = (axis: Axis, { over, upTo }: Span): string => {
  if (axis === 'dates') return `from ${new Date(over).toISOString()} to ${new Date(upTo).toISOString()}`;
  return over < 0 ? `for prompts of at most ${upTo} tokens` : `for prompts of more than ${over} and at most ${upTo} tokens`;
};

/** Rates whose usage is all matched by rates with one condition more. */
const findCovered = (group: readonly PlacedRate[], axis: Axis, { zone }: PriceBook): PathMistake[] =>
  group.flatMap(({ rate, path }): PathMistake[] => {
    if (hasAxis(axis, rate.when)) return [];
    const signature = signatureOf(rate.when);
    const spans = group.filter((other) => hasAxis(axis, other.rate.when) && signatureOf(without(axis, other.rate.when)) === signature).map((other) => spanOn(axis, other.rate.when, zone));
    const isCovered = spans.length > 0 && holesOf(spans, axis === 'context' ? -1 : -Infinity).length === 0;
    return isCovered ? [{ path, message: `is unreachable: other rates take all of its usage, whatever its ${axis === 'context' ? 'prompt' : 'date'}. Remove it` }] : [];
  });

const parentOf = (meter: Meter): Meter => sideOf[meter] ?? meter;

/** A model whose tokens have prices has one for input, and says whether it answers with tokens: `output: null` if it does not. */
const findMissingClasses = ({ rates }: PriceBook, paths: NormalizedBook['ratePaths']): PathMistake[] => {
  const byModel = new Map<string, { readonly classes: Set<Meter>; readonly path: Path }>();
  for (const [index, { models, classes }] of rates.entries()) {
    for (const model of modelsOf(models)) {
      let priced = byModel.get(model);
      if (!priced) byModel.set(model, (priced = { classes: new Set(), path: paths[index]!.slice(0, 2) }));
      for (const meter of classes) priced.classes.add(meter);
    }
  }
  const general = byModel.get('*')?.classes ?? new Set<Meter>();
  return [...byModel].flatMap(([model, { classes, path }]) => {
    if (![...classes].some((meter) => meter in sideOf)) return [];
    return (['input', 'output'] as const)
      .filter((side) => !classes.has(side) && !general.has(side))
      .map((side) => ({ path, message: `has no price for ${side} of ${model}. Add one; write ${side}: null if the model has no ${side}` }));
  });
};

/** Steps over an accumulator need one that counts what the rate prices. */
const findUncounted = ({ rates, accumulators }: PriceBook, paths: NormalizedBook['ratePaths']): PathMistake[] =>
  rates.flatMap(({ price, classes, models }, index): PathMistake[] => {
    const over = price && 'over' in price ? price.over : undefined;
    const accumulator = over === undefined ? undefined : accumulators[over];
    if (!accumulator) return [];
    const { counts } = accumulator;
    const missing = classes.filter((meter) => (counts === 'tokens' ? !(meter in sideOf) : counts === 'amount' || !counts.includes(meter)));
    const counted = accumulator.models === null ? null : modelsOf(accumulator.models);
    const isForAll = counted === null || (models !== '*' && modelsOf(models).every((model) => counted.includes(model)));
    if (missing.length === 0 && isForAll) return [];
    const lacks = missing.length > 0 ? missing.join(', ') : 'all models of this rate';
    return [{ path: paths[index]!, message: `has steps over ${over}, which does not count ${lacks}. Name an accumulator that does` }];
  });

/** Rows whose own conditions exclude each other. */
const findNever = (book: PriceBook, ratePaths: NormalizedBook['ratePaths']): PathMistake[] => {
  const mistakes: PathMistake[] = [];
  const report = (path: Path, message: string): unknown => mistakes.push({ path, message });
  const rows: [Path, { readonly from?: string | undefined; readonly until?: string | undefined }][] = [
    ...book.rates.map(({ when }, index): [Path, BookConditions] => [[...ratePaths[index]!.slice(0, 2), 'when'], when]),
    ...book.discounts.map(({ when }, index): [Path, BookConditions] => [['discounts', index, 'when'], when]),
    ...(['commitments', 'minimums', 'maximums'] as const).flatMap((kind) => book[kind].map((term, index): [Path, typeof term] => [[kind, index], term])),
  ];
  for (const [path, { from, until }] of rows) {
    if (from !== undefined && until !== undefined && instantOf(from, book.zone) >= instantOf(until, book.zone)) report([...path, 'until'], `is unreachable: it ends at ${until}, before it begins at ${from}`);
  }
  for (const [name, window] of Object.entries(book.windows)) {
    const calendar = window.holidays && 'only' in window.holidays ? book.holidays[window.holidays.only] : undefined;
    if (calendar && !calendar.some((day) => !window.days || window.days.includes(weekdays[(new Date(day).getUTCDay() + 6) % 7]!))) report(['windows', name, 'holidays'], 'is unreachable: no holiday of the calendar is on its days');
  }
  return mistakes;
};

/** Discounts and aliases that lead to no rate. */
const findUnselected = (book: PriceBook): PathMistake[] => {
  const mistakes: PathMistake[] = [];
  const report = (path: Path, message: string): unknown => mistakes.push({ path, message });
  const models = new Set(book.rates.flatMap((rate) => modelsOf(rate.models)));
  for (const [index, discount] of book.discounts.entries()) {
    if (!book.rates.some((rate) => selectsSome(discount, rate, models, book))) report(['discounts', index], 'is unreachable: no rate has its models, classes and conditions');
  }
  const seen = new Set<string>();
  for (const [index, { model, match }] of book.aliases.entries()) {
    if (!models.has(model.toLowerCase())) report(['aliases', index, 'model'], `names a model without a rate: ${model}`);
    for (const [at, pattern] of match.entries()) {
      if (seen.has(pattern.toLowerCase())) report(['aliases', index, 'match', at], 'is unreachable: the same pattern stands above');
      seen.add(pattern.toLowerCase());
    }
  }
  return mistakes;
};

const selectsSome = (discount: PriceBook['discounts'][number], rate: BookRate, known: ReadonlySet<string>, book: PriceBook): boolean => {
  const rateModels = modelsOf(rate.models);
  // "*" also prices models that the book does not name.
  const isForModel = discount.models === '*' || rate.models === '*' || modelsOf(discount.models).some((model) => rateModels.includes(model) && known.has(model));
  const isForClass = discount.classes === null || discount.classes.some((meter) => rate.classes.includes(meter) || rate.classes.includes(parentOf(meter)));
  return isForModel && isForClass && canBothHold(discount.when, rate.when, book);
};
