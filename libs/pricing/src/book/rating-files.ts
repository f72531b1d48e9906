/** The files beside a price book: usage, grants and counters in, rated lines out. These schemas are published in docs/schemas. */
import { z } from 'zod';
import { currency, decimal, isDate, meter, modelName, moment, name, zone } from './book-values.js';

/** An id of usage or of an account: visible ASCII, and nothing that a spreadsheet takes for a formula. */
const id = z.string().regex(/^[A-Za-z0-9][\x21-\x7e]{0,199}$/, 'must have 1 to 200 visible ASCII characters, the first one a letter or a digit');

const firstMs = Date.UTC(2000, 0, 1);
const lastMs = Date.UTC(2100, 0, 1);
const instant = z
  .string({ error: 'must be a moment with its offset, such as 2026-07-01T12:00:00Z' })
  .regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/, { error: 'must be a moment with its offset, such as 2026-07-01T12:00:00Z', abort: true })
  .refine((text) => Date.parse(text) >= firstMs && Date.parse(text) < lastMs, 'must be a moment of the years 2000 to 2099')
  .refine((text) => isDate(text.slice(0, 10)), 'is on no day of the calendar')
  .meta({ id: 'Instant' });

/** One use: a line of a JSON Lines file. In CSV each quantity has a column of its class. */
export const usageRow = z
  .strictObject({
    usage_id: id,
    at: instant.describe('When it was admitted: its price, windows and periods are of this moment.'),
    model: modelName,
    quantities: z.partialRecord(meter, decimal).describe('By class, disjoint. Tokens are whole.'),
    tier: name.optional().describe('The service tier, as served. Default: default.'),
    mode: name.optional().describe('Default: realtime.'),
    region: name.optional(),
    account: id.optional().describe('The organization, whose counters and grants these are. Default: account.'),
    root: id.optional().describe('The root of its account tree. Default: the account.'),
    zone: zone.optional().describe("In which the account's periods run. Default: the book's."),
    currency: currency.optional().describe('Only rates in this currency. Default: all.'),
  })
  .meta({ id: 'Usage', title: 'One usage, a line of a usage file' });
export type UsageRow = z.output<typeof usageRow>;

const unit = z.string().regex(/^([A-Z]{3}|[a-z][a-z0-9-]{1,62})$/, 'must be a currency such as USD, or a pack unit (lower-case letters, digits, dashes)');

const grant = z.strictObject({
  grant: id,
  unit,
  amount: decimal,
  account: id.optional().describe('Default: every account.'),
  scope: z.strictObject({ models: z.array(modelName).min(1) }).optional().describe('Default: every model.'),
  priority: z
    .string()
    .regex(/^\d{1,5}$/, 'must be a whole number from 0 to 99999')
    .meta({ id: 'Priority' })
    .optional()
    .describe('Lower burns first. Default: 100.'),
  effective_at: moment.optional(),
  expires_at: moment.optional(),
  promotional: z.boolean().optional().describe('Burns before one that is not, where priority and expiry are the same.'),
  burns: z.partialRecord(meter, decimal).optional().describe('Of a pack: its units that one token of a class takes. A class without takes that of input or output.'),
});
export const grantsFile = z.array(grant).meta({ id: 'Grants', title: 'Grants that pay for usage' });
export type GrantRow = z.output<typeof grant>;

const counter = z.strictObject({
  accumulator: name,
  account: id,
  period_start: moment.describe('A moment in the period; the period that it is in has the counter.'),
  counted: decimal,
  zone: zone.optional().describe("Of the period. Default: the book's."),
});
export const countersFile = z.array(counter).meta({ id: 'Counters', title: 'Levels of accumulators at the start' });
export type CounterRow = z.output<typeof counter>;

const signed = z.string().regex(/^-?\d{1,26}(\.\d{1,12})?$/);
const exact = z.string().regex(/^\d{1,26}(\.\d{1,12})?$/);

export const ratedLine = z.strictObject({
  usage_id: z.string().nullable().describe("Null: a line of a period's end."),
  rate_id: z.string().describe('Of the rate; of the commitment or minimum for a line of a period’s end; `pack` and the unit for tokens that a pack paid for.'),
  class: meter.nullable(),
  quantity: exact,
  unit_price: exact.nullable().describe('For `per` units; null where the line has several prices, or is priced by packages or blocks.'),
  per: exact,
  amount: signed.describe('After discounts.'),
  currency: unit,
  discounts: z.array(z.strictObject({ id: z.string(), amount: signed })),
  allocations: z.array(z.strictObject({ grant: z.string(), unit, tokens: exact, amount: exact })),
  uncovered: exact.optional().describe('With --grants: the part of the amount that no grant pays for.'),
  reason: z.enum(['true_up', 'minimum', 'shortfall']).optional(),
  account: z.string().optional().describe("Of a line of a period's end."),
  period: z.strictObject({ start: z.string(), end: z.string() }).optional(),
});
export type RatedLineRow = z.output<typeof ratedLine>;

export const ratingOutput = z
  .strictObject({ lines: z.array(ratedLine), total: z.record(z.string(), signed).describe('The sum of the amounts, by currency or pack unit.') })
  .meta({ id: 'Rating', title: 'The output of npm run rate' });
