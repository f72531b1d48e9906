/**
 * A price book as a file: rates, discounts and terms of a contract. This schema is the only source of the types, of the validation and of
 * docs/schemas/price-book.schema.json. A file of one model with two bands by request length and a night discount:
 *
 *   book: list-2026
 *   currency: CNY
 *   zone: Asia/Shanghai
 *   windows: { night: { from: "22:00", to: "08:00" } }
 *   rates:
 *     - { models: [qwen3-max], when: { context: { up_to: 32000 } }, per: 1000000, prices: { input: 2.5, output: 10 } }
 *     - { models: [qwen3-max], when: { context: { over: 32000 } }, per: 1000000, prices: { input: 4, output: 16 } }
 *   discounts:
 *     - { id: night, when: { windows: [night] }, percent: 60 }
 *
 * Objects are strict: an unknown key is a mistake. Rows are put into one form by normalize.ts, which the engine reads.
 */
import { z } from 'zod';
import { currency, date, decimal, meter, modelName, moment, name, percent, timeOfDay, whole, zone, type Meter } from './book-values.js';

const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Weekday = (typeof weekdays)[number];

/** A calendar window. One that passes midnight (22:00 to 08:00) belongs to the day on which it begins, for weekdays and holidays alike. */
export const bookWindow = z.strictObject({
  days: z.array(z.enum(weekdays)).min(1).optional().describe('Weekdays on which the window begins. Default: all.'),
  from: timeOfDay.optional().describe('Inclusive, in local time. Default: 00:00.'),
  to: timeOfDay.optional().describe('Exclusive, in local time. Default: 24:00. Before `from`: on the next day.'),
  zone: zone.optional().describe("Default: the book's zone."),
  holidays: z
    .union([z.strictObject({ exclude: name }), z.strictObject({ only: name }), z.strictObject({ include: name })])
    .optional()
    .describe('A calendar of `holidays`: its days are outside the window (exclude), are alone in it (only), or are in it whatever the weekday (include).'),
});

const periods = ['month', 'quarter', 'contract_year'] as const;
export type Period = (typeof periods)[number];
const period = z.enum(periods);
/** A counter is of each organization alone, or of all organizations of an account tree together. */
const of = z.enum(['organization', 'tree']);

export const bookAccumulator = z.strictObject({
  counts: z.union([z.literal('tokens'), z.literal('requests'), z.literal('amount'), meter, z.array(meter).min(1)]).describe('tokens: all token classes. amount: list prices, before discounts.'),
  models: z.array(modelName).min(1).optional().describe('Default: all models.'),
  period,
  of: of.optional().describe('Default: organization.'),
  packs: z.enum(['include', 'exclude']).optional().describe('Whether tokens that a pack paid for count. Default: include.'),
});

/** The conditions of a rate or a discount: all of them must hold. A list holds if one of its names does. */
export const bookConditions = z.strictObject({
  context: z
    .strictObject({ over: whole.optional(), up_to: whole.optional() })
    .optional()
    .describe("A band of the request's prompt tokens of all classes, which holds for all tokens of the request: more than `over` and at most `up_to`."),
  tiers: z.array(name).min(1).optional().describe('Service tiers, as served.'),
  modes: z.array(name).min(1).optional().describe('Such as realtime, batch or async.'),
  regions: z.array(name).min(1).optional(),
  windows: z.array(name).min(1).optional(),
  from: moment.optional().describe('Inclusive.'),
  until: moment.optional().describe('Exclusive.'),
});

const over = name.optional().describe('The quantity that steps count: of one request (`request`, the default), or of an accumulator.');

export const bookStep = z.strictObject({
  up_to: decimal.optional().describe('Inclusive. The last step has none: it is open.'),
  amount: decimal,
  flat: decimal.optional().describe('Charged once when the step is reached.'),
});

export const tieredPrice = z.strictObject({
  tiers: z.enum(['graduated', 'volume']).describe('graduated: each unit at its own step. volume: all units at the step that the total reaches.'),
  over,
  steps: z.array(bookStep).min(1),
});
export const packagePrice = z.strictObject({
  package: decimal.describe('Units in a package. Each one begun costs `amount`.'),
  amount: decimal,
  free: decimal.optional().describe('Units that come first and cost nothing.'),
  over,
});
export const blockPrice = z.strictObject({
  blocks: z.enum(['all', 'top']).describe('all: the blocks of each step at its own amount. top: all blocks at the amount of the step that the total reaches.'),
  over,
  steps: z.array(z.strictObject({ size: decimal, blocks: whole.optional().describe('At most. The last step has none: it is open.'), amount: decimal })).min(1),
});
const unitPrice = z.strictObject({ amount: decimal });

/** Null: no price, usage is refused. 0: free. */
export const bookPrice = z.union([z.null(), decimal, unitPrice, tieredPrice, packagePrice, blockPrice]);

const models = z.union([z.literal('*'), z.array(modelName).min(1)]).describe('Names, or "*": all models without a rate of their own.');

/** Modifiers of a rate's cost; of a request, or of a period where the price counts over an accumulator. */
const modifiers = {
  quantity: z
    .strictObject({ divide: decimal, round: z.enum(['up', 'down', 'half_up']) })
    .optional()
    .describe('Divides and rounds the quantity before it is priced.'),
  base: decimal.optional().describe('Added once.'),
  flat_at_zero: z.boolean().optional().describe('A quantity of 0 pays the first flat amount.'),
  minimum: decimal.optional(),
  maximum: decimal.optional(),
  round: z
    .strictObject({ decimals: whole.refine((text) => Number(text) <= 12, 'must be from 0 to 12'), mode: z.enum(['half_up', 'half_even', 'up', 'down']) })
    .optional()
    .describe('Rounds the amount of a line once more.'),
};

export const bookRateRow = z.strictObject({
  id: name.optional().describe('Stands in every line. Default: made from models, class and conditions.'),
  models,
  when: bookConditions.optional(),
  currency: currency.optional().describe("Default: the book's."),
  per: whole.optional().describe('The number of units that an amount is for. Required for amounts a unit; packages and blocks have none.'),
  prices: z.partialRecord(meter, bookPrice).optional().describe('A price for each class.'),
  classes: z.array(meter).min(1).optional().describe('With `price`, in place of `prices`: classes that share one price.'),
  price: bookPrice.optional(),
  ...modifiers,
});

const tieredPercent = z.strictObject({
  over: name,
  tiers: z.enum(['graduated', 'volume']),
  steps: z.array(z.strictObject({ up_to: decimal.optional(), percent })).min(1),
});

export const bookDiscountRow = z.strictObject({
  id: name,
  models: models.optional().describe('Default: all.'),
  classes: z.array(meter).min(1).optional().describe('Default: all.'),
  when: bookConditions.optional(),
  percent: z.union([percent, tieredPercent]).describe('Percent off, or steps over an accumulator.'),
});

const stacking = z.strictObject({
  discounts: z.array(name).min(2),
  combine: z.enum(['best', 'first', 'multiply']).describe('best: the one with the lowest amount. first: the first that applies. multiply: each on what the one before leaves.'),
});

/** An amount of a period: charges below a commitment or a minimum are made up at its end, charges above a maximum are not made. */
const periodTerm = z.strictObject({
  id: name,
  amount: decimal,
  currency: currency.optional().describe("Default: the book's."),
  period,
  of: of.optional().describe('Default: organization.'),
  models: z.array(modelName).min(1).optional().describe('Charges that count. Default: all models.'),
  from: moment.optional(),
  until: moment.optional(),
});

const named = <Value extends z.ZodType>(value: Value) => z.record(name, value).optional();

export const priceBookFile = z
  .strictObject({
    book: name,
    currency,
    zone: zone.optional().describe('Of windows, dates and periods, unless they name another. Default: UTC.'),
    effective_at: moment.optional(),
    contract: z
      .strictObject({ starts: date, ends: date.optional() })
      .optional()
      .describe('Contract years begin on the day `starts`; one that starts on 29 February renews on the last day of February. `ends` is the last day.'),
    holidays: named(z.array(date)).describe('Calendars of holidays.'),
    windows: named(bookWindow),
    accumulators: named(bookAccumulator),
    aliases: z
      .array(z.strictObject({ model: modelName, match: z.array(modelName).min(1).describe('Patterns: * stands for any text, # for a digit.') }))
      .optional()
      .describe('Other names of models; the first that matches counts. Case does not matter.'),
    rates: z.array(bookRateRow).min(1),
    discounts: z.array(bookDiscountRow).optional(),
    stacking: z.array(stacking).optional().describe('Discounts without a row multiply, in the order of the file.'),
    commitments: z.array(periodTerm).optional(),
    minimums: z.array(periodTerm).optional(),
    maximums: z.array(periodTerm).optional(),
  })
  .meta({ id: 'PriceBook', title: 'Kilotoken price book' });

export type PriceBookFile = z.output<typeof priceBookFile>;
export type BookWindow = z.output<typeof bookWindow>;
export type BookConditions = z.output<typeof bookConditions>;
export type BookStep = z.output<typeof bookStep>;
export type TieredPrice = z.output<typeof tieredPrice>;
export type PackagePrice = z.output<typeof packagePrice>;
export type BlockPrice = z.output<typeof blockPrice>;
export type UnitPrice = z.output<typeof unitPrice>;
export type TieredPercent = z.output<typeof tieredPercent>;
export type BookStacking = z.output<typeof stacking>;
type Modifiers = Pick<z.output<typeof bookRateRow>, keyof typeof modifiers>;

type Price = z.output<typeof bookPrice>;

/** One price of some classes: a row with `prices` becomes a rate for each of them. */
export interface BookRate extends Modifiers {
  /** Unique in the book. */
  readonly id: string;
  readonly models: '*' | readonly string[];
  readonly classes: readonly Meter[];
  readonly when: BookConditions;
  readonly currency: string;
  /** 1 for packages and blocks. */
  readonly per: string;
  readonly price: Exclude<Price, string>;
}

export interface BookDiscount {
  readonly id: string;
  readonly models: '*' | readonly string[];
  /** Null: all. */
  readonly classes: readonly Meter[] | null;
  readonly when: BookConditions;
  readonly percent: string | TieredPercent;
}

export interface BookAccumulator {
  /** tokens: all token classes. amount: list prices, before discounts. */
  readonly counts: 'tokens' | 'amount' | readonly Meter[];
  /** Null: all. */
  readonly models: readonly string[] | null;
  readonly period: Period;
  readonly of: 'organization' | 'tree';
  readonly packs: 'include' | 'exclude';
}

export interface PeriodTerm {
  readonly id: string;
  readonly amount: string;
  readonly currency: string;
  readonly period: Period;
  readonly of: 'organization' | 'tree';
  readonly models: readonly string[] | null;
  readonly from?: string | undefined;
  readonly until?: string | undefined;
}

/** A book in the one form that the engine reads: every default filled in, numbers as exact decimal text. */
export interface PriceBook {
  readonly book: string;
  readonly currency: string;
  readonly zone: string;
  readonly effective_at: string | null;
  readonly contract: { readonly starts: string; readonly ends?: string | undefined } | null;
  readonly holidays: Readonly<Record<string, readonly string[]>>;
  readonly windows: Readonly<Record<string, BookWindow>>;
  readonly accumulators: Readonly<Record<string, BookAccumulator>>;
  readonly aliases: readonly { readonly model: string; readonly match: readonly string[] }[];
  readonly rates: readonly BookRate[];
  readonly discounts: readonly BookDiscount[];
  readonly stacking: readonly BookStacking[];
  readonly commitments: readonly PeriodTerm[];
  readonly minimums: readonly PeriodTerm[];
  readonly maximums: readonly PeriodTerm[];
}
