/**
 * Conditions of rates and discounts. Of the rates that match, the most specific applies: one for the model before one for "*", then the one with
 * more conditions. Validation refuses two that are equally specific and can both match; here the first in the file applies.
 */
import type { BookConditions, PriceBook } from '../book/price-book.js';
import { parseQuantity, type Quantity } from './quantity.js';
import { compileWindow, type WindowTest } from './window.js';
import { instantOf } from './zone-clock.js';

export interface Conditions {
  readonly over: Quantity | null;
  readonly upTo: Quantity | null;
  readonly tiers: readonly string[] | null;
  readonly modes: readonly string[] | null;
  readonly regions: readonly string[] | null;
  readonly windows: readonly WindowTest[] | null;
  readonly fromMs: number;
  readonly untilMs: number;
  /** How many kinds of conditions there are; `from` and `until` are one. */
  readonly count: number;
}

/** The facts of a usage that conditions look at. */
export interface Circumstances {
  readonly atMs: number;
  /** The tier that was served. */
  readonly tier: string;
  readonly mode: string;
  readonly region?: string | undefined;
}

export const countConditions = ({ from, until, ...others }: BookConditions): number => Object.values(others).filter((value) => value !== undefined).length + (from === undefined && until === undefined ? 0 : 1);

/** Compiles each window of a book once. */
export const compileWindows = (book: PriceBook): ReadonlyMap<string, WindowTest> => new Map(Object.entries(book.windows).map(([name, window]) => [name, compileWindow(window, book)]));

export const compileConditions = (when: BookConditions, zone: string, windows: ReadonlyMap<string, WindowTest>): Conditions => ({
  over: when.context?.over === undefined ? null : parseQuantity(when.context.over),
  upTo: when.context?.up_to === undefined ? null : parseQuantity(when.context.up_to),
  tiers: when.tiers ?? null,
  modes: when.modes ?? null,
  regions: when.regions ?? null,
  windows: when.windows?.map((name) => windows.get(name) ?? failUnknown(name)) ?? null,
  fromMs: when.from === undefined ? -Infinity : instantOf(when.from, zone),
  untilMs: when.until === undefined ? Infinity : instantOf(when.until, zone),
  count: countConditions(when),
});

const failUnknown = (name: string): never => {
  throw new RangeError(`there is no window called ${name}`);
};

/** `prompt` is the number of the request's prompt tokens, all classes. */
export const matches = ({ over, upTo, tiers, modes, regions, windows, fromMs, untilMs, count }: Conditions, prompt: Quantity, usage: Circumstances): boolean =>
  count === 0 ||
  ((over === null || prompt > over) &&
    (upTo === null || prompt <= upTo) &&
    (tiers === null || tiers.includes(usage.tier)) &&
    (modes === null || modes.includes(usage.mode)) &&
    (regions === null || (usage.region !== undefined && regions.includes(usage.region))) &&
    usage.atMs >= fromMs &&
    usage.atMs < untilMs &&
    (windows === null || windows.some((isIn) => isIn(usage.atMs))));
