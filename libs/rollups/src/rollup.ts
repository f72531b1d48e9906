/**
 * Sums of usage by time, project, key, model and lane. Pure: the queries, and the merging of rows that differ only in their
 * units.
 *
 * A day of Europe/Berlin on 2026-03-29 has 23 hours: it is the sum of its 92 quarters of an hour, from 2026-03-28T23:00Z to
 * 2026-03-29T22:00Z. A zone's days begin and end on quarters, so sums of quarters are exact whatever the zone and its clock do.
 */
import { isTimeZone, type TokenClass, tokenClasses } from '@kilotoken/contracts';
import { parseMoney, type Money } from '@kilotoken/money';
import { z } from 'zod';

/** The upper ends of all histogram buckets but the last, which is open. */
export const histogramBoundsMs = [50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 102_400] as const;

/** Of a request's tags so many count, in the order of their keys' bytes; of a value so many characters. */
export const rolledTagsMax = 8;
export const rolledTagCharactersMax = 128;
/** A longer key is among the rest. */
export const rolledTagKeyCharactersMax = 64;
/** Tags of an organization and day of UTC that have sums of their own, and values of one key among them (`rollup_tags_max`, `rollup_values_max`). */
export const rolledTagsPerDayMax = 1_000;
export const rolledValuesPerKeyMax = 500;
/** Key and value under which the other tags of the day count. */
export const restTag = '(other)';

export const granularities = ['minute', 'hour', 'day', 'month'] as const;
export type Granularity = (typeof granularities)[number];

/** The dimensions of a query; `tag:team` divides by the values of one tag. */
export const dimensions = ['project', 'apiKey', 'model', 'lane'] as const;

/** A moment, or a day of the query's zone: the day's beginning. */
const momentSchema = z.union([z.iso.datetime({ offset: true }), z.iso.date()], 'must be a day such as 2027-01-31 or a moment such as 2027-01-31T18:00:00Z');

const namesMax = 200;
const nothingNamed = 'an empty list selects nothing; leave it out to select all';

/** Narrows sums; what is left out narrows nothing. */
const rollupFilterSchema = z.strictObject({
  models: z.array(z.string().min(1).max(200)).min(1, nothingNamed).max(namesMax).optional(),
  projectIds: z.array(z.uuid()).min(1, nothingNamed).max(namesMax).optional(),
  apiKeyIds: z.array(z.uuid()).min(1, nothingNamed).max(namesMax).optional(),
  unit: z.string().min(1).max(63).optional(),
});

export const rollupQuerySchema = z.strictObject({
  organizationId: z.uuid(),
  from: momentSchema,
  /** Exclusive. */
  to: momentSchema,
  granularity: z.enum(granularities),
  groupBy: z
    .array(z.union([z.enum(dimensions), z.templateLiteral(['tag:', z.string().min(1).max(64)])], `must be names among ${dimensions.join(', ')} or tag:<key>`))
    .max(dimensions.length + 1)
    .default([])
    .refine((names) => new Set(names).size === names.length, 'names something twice')
    .refine((names) => names.filter((name) => name.startsWith('tag:')).length <= 1, 'names two tags'),
  filter: rollupFilterSchema.default({}),
  /** A name of the IANA database; an offset is no zone, since it knows no clock changes. */
  timeZone: z.string().regex(/^[A-Za-z]/, 'is no time zone').refine(isTimeZone, 'is no time zone').default('UTC'),
});

export type RollupQuery = z.input<typeof rollupQuerySchema>;
export type ParsedRollupQuery = z.output<typeof rollupQuerySchema>;

/** Sums of times. `histogram[i]` counts those below `histogramBoundsMs[i]` and not below the bound before it. */
export interface Timing {
  readonly count: bigint;
  readonly sumMs: bigint;
  readonly histogram: readonly bigint[];
}

export interface UsageRollup {
  readonly startsAt: Date;
  readonly endsAt: Date;
  /** A value for each name of `groupBy`; a lane is null where none was found. */
  readonly group: Readonly<Record<string, string | null>>;
  /** Requests by their last attempt; `errors` of them neither completed nor were given up by the client. */
  readonly requests: bigint;
  readonly errors: bigint;
  /** Attempts that another one followed. */
  readonly failedAttempts: bigint;
  readonly tokens: Readonly<Partial<Record<TokenClass, bigint>>>;
  readonly charge: Readonly<Record<string, Money>>;
  readonly cost: Readonly<Record<string, Money>>;
  /** Of every attempt that gave a token, from its admission. */
  readonly timeToFirstToken: Timing;
  /** Of completed requests, from their admission. */
  readonly duration: Timing;
}

/** A row of the database: sums of one period, group, unit and cost currency. Numbers are texts. */
export interface RollupSums {
  readonly starts_at: Date;
  readonly ends_at: Date;
  readonly unit: string;
  readonly cost_currency: string;
  readonly requests: string;
  readonly errors: string;
  readonly failed_attempts: string;
  readonly charge: string;
  readonly cost: string;
  readonly first_token_ms: string;
  readonly first_token_histogram: readonly string[];
  readonly duration_ms: string;
  readonly duration_histogram: readonly string[];
  /** `<class>_tokens`, and the columns `group_0`, `group_1`, … of the query. */
  readonly [column: string]: unknown;
}

const noLane = '00000000-0000-0000-0000-000000000000';

interface Sum {
  requests: bigint;
  errors: bigint;
  failedAttempts: bigint;
  readonly tokens: Partial<Record<TokenClass, bigint>>;
  readonly charge: Record<string, Money>;
  readonly cost: Record<string, Money>;
  timeToFirstToken: Timing;
  duration: Timing;
}

const addTiming = (one: Timing, sumMs: string, counts: readonly string[]): Timing => {
  const histogram = counts.map((count, index) => BigInt(count) + (one.histogram[index] ?? 0n));
  return { count: histogram.reduce((all, count) => all + count, 0n), sumMs: one.sumMs + BigInt(sumMs), histogram };
};

/** Money that is nothing is left out: a key of this group may have used another unit in another. */
const addMoney = (sums: Record<string, Money>, unit: string, text: string): void => {
  const amount = parseMoney(text);
  if (amount !== 0n) sums[unit] = (sums[unit] ?? 0n) + amount;
};

/** Joins rows of one period and group that differ in unit or cost currency; they follow one another. */
export const foldSums = (rows: readonly RollupSums[], groupBy: readonly string[]): UsageRollup[] => {
  const folded = new Map<string, UsageRollup & Sum>();
  for (const row of rows) {
    const values = groupBy.map((_, index) => String(row[`group_${index}`]));
    const key = JSON.stringify([row.starts_at.getTime(), ...values]);
    let sum = folded.get(key);
    if (!sum) {
      const group = Object.fromEntries(groupBy.map((name, index) => [name, values[index] === noLane ? null : values[index]!]));
      const none: Timing = { count: 0n, sumMs: 0n, histogram: [] };
      sum = {
        startsAt: row.starts_at, endsAt: row.ends_at, group, requests: 0n, errors: 0n, failedAttempts: 0n,
        tokens: {}, charge: {}, cost: {}, timeToFirstToken: none, duration: none,
      };
      folded.set(key, sum);
    }
    sum.requests += BigInt(row.requests);
    sum.errors += BigInt(row.errors);
    sum.failedAttempts += BigInt(row.failed_attempts);
    for (const name of tokenClasses) {
      const tokens = BigInt(String(row[`${name}_tokens`]));
      if (tokens !== 0n) sum.tokens[name] = (sum.tokens[name] ?? 0n) + tokens;
    }
    addMoney(sum.charge, row.unit, row.charge);
    addMoney(sum.cost, row.cost_currency, row.cost);
    sum.timeToFirstToken = addTiming(sum.timeToFirstToken, row.first_token_ms, row.first_token_histogram);
    sum.duration = addTiming(sum.duration, row.duration_ms, row.duration_histogram);
  }
  return [...folded.values()];
};

/**
 * The time that a share of all (0.5 is the median) did not exceed: the upper end of the bucket where it lies, since that is
 * what is known. Null when nothing was counted; Infinity in the last, open bucket.
 */
export const quantileMsMax = ({ count, histogram }: Timing, share: number): number | null => {
  if (count === 0n) return null;
  const rank = Math.max(1, Math.ceil(Number(count) * share));
  let seen = 0;
  const index = histogram.findIndex((inBucket) => (seen += Number(inBucket)) >= rank);
  return histogramBoundsMs[index] ?? Infinity;
};
