import { Field, ID, InputType, Int, ObjectType, registerEnumType } from '@nestjs/graphql';
import { Count, Exact, Moment, Of, optional, Text, Texts } from '../shapes/field.js';
import { DateTime } from '../shapes/scalars.js';

export enum Grain {
  MINUTE = 'minute',
  HOUR = 'hour',
  DAY = 'day',
  MONTH = 'month',
}
registerEnumType(Grain, {
  name: 'Grain',
  description: 'The length of the periods of a series.',
  valuesMap: {
    MINUTE: { description: 'Minutes; kept for some weeks.' },
    HOUR: { description: 'Hours of the zone.' },
    DAY: { description: 'Days of the zone, of 23 to 25 hours.' },
    MONTH: { description: 'Months of the zone.' },
  },
});

export enum UsageDimension {
  MODEL = 'model',
  PROJECT = 'project',
  API_KEY = 'apiKey',
  TAG = 'tag',
  LANE = 'lane',
  UNIT = 'unit',
}
registerEnumType(UsageDimension, {
  name: 'UsageDimension',
  description: 'The property by which use is divided into groups.',
  valuesMap: {
    MODEL: { description: 'The model that was asked for.' },
    PROJECT: { description: 'The project of the key.' },
    API_KEY: { description: 'The key.' },
    TAG: { description: 'The value of one tag of the requests; `tagKey` names it.' },
    LANE: { description: "The lane that answered; the company's staff only." },
    UNIT: { description: 'The unit that was charged.' },
  },
});

@InputType({ description: 'Narrows use. A list that is left out narrows nothing.' })
export class UsageFilter {
  @Field(() => [String], { nullable: true, description: 'Of these models.' })
  readonly models?: string[] | null;

  @Field(() => [ID], { nullable: true, description: 'Of these projects.' })
  readonly projectIds?: string[] | null;

  @Field(() => [ID], { nullable: true, description: 'By these keys.' })
  readonly apiKeyIds?: string[] | null;

  @Field(() => String, { nullable: true, description: 'Charged in this unit.' })
  readonly unit?: string | null;
}

@InputType({ description: 'A question about use over time.' })
export class UsageSeriesInput {
  @Field(() => DateTime, { description: 'Its beginning: the begin of a period of the grain in the zone.' })
  readonly from!: Date;

  @Field(() => DateTime, { description: 'Its end, excluded: the begin of a period too.' })
  readonly until!: Date;

  @Field(() => Grain, { description: 'The length of its periods.' })
  readonly grain!: Grain;

  @Field(() => UsageDimension, { nullable: true, description: 'The property by which it is divided; null: it has one group, with an empty name.' })
  readonly groupBy?: UsageDimension | null;

  @Field(() => String, { nullable: true, description: 'The tag, where it is divided by one.' })
  readonly tagKey?: string | null;

  @Field(() => UsageFilter, { nullable: true, description: 'Narrows it.' })
  readonly filter?: UsageFilter | null;

  @Field(() => String, { nullable: true, description: "The zone of its periods, by the name of the IANA database; null: the organization's." })
  readonly timeZone?: string | null;

  @Field(() => Int, { nullable: true, defaultValue: 12, description: 'How many groups at most, 1 to 50: those with the most requests. The others are one group, `(other)`.' })
  readonly groupsMax?: number | null;
}

@ObjectType({ description: 'Use of one group in one period and unit. Periods without use are left out.' })
export class UsagePoint {
  @Moment('When the period begins.')
  readonly at!: Date;

  @Text('The group: an id or a value of the dimension.')
  readonly group!: string;

  @Exact('How many requests ended.')
  readonly requests!: bigint;

  @Exact('How many of them neither completed nor were given up by their client.')
  readonly errors!: bigint;

  @Exact('Tokens of prompts, cached ones included.')
  readonly inputTokens!: bigint;

  @Exact('Those of them that were read from a cache.')
  readonly cachedTokens!: bigint;

  @Exact('Tokens of answers.')
  readonly outputTokens!: bigint;

  @Exact('The charge in the unit.')
  readonly charge!: string;

  @Text('The unit of the charge.')
  readonly unit!: string;
}

@ObjectType({ description: 'All use of one group and unit in the range.' })
export class UsageTotal {
  @Text('The group, as in points.')
  readonly group!: string;

  @Text('Its name for people.')
  readonly label!: string;

  @Exact('How many requests ended.')
  readonly requests!: bigint;

  @Exact('How many of them neither completed nor were given up by their client.')
  readonly errors!: bigint;

  @Exact('Tokens of prompts, cached ones included.')
  readonly inputTokens!: bigint;

  @Exact('Those of them that were read from a cache.')
  readonly cachedTokens!: bigint;

  @Exact('Tokens of answers.')
  readonly outputTokens!: bigint;

  @Exact('The charge in the unit.')
  readonly charge!: string;

  @Text('The unit of the charge.')
  readonly unit!: string;

  @Count('The time within which half of the requests gave their first token, rounded up to a bucket of the histogram; null: none gave one, or it was longer than all buckets.', optional)
  readonly p50FirstTokenMs!: number | null;

  @Count('The time within which 95 % of the completed requests ended, likewise.', optional)
  readonly p95DurationMs!: number | null;
}

@ObjectType({ description: 'Use over time.' })
export class UsageSeries {
  @Of(() => Grain, 'The length of its periods.')
  readonly grain!: Grain;

  @Of(() => [UsagePoint], 'By period, group and unit.')
  readonly points!: UsagePoint[];

  @Of(() => [UsageTotal], 'By group and unit, the most requests first.')
  readonly totals!: UsageTotal[];
}

@ObjectType({ description: 'Names for the menus of filters: those that the last 90 days have seen.' })
export class UsageFilters {
  @Texts('Models.')
  readonly models!: string[];

  @Texts('Keys of tags.')
  readonly tagKeys!: string[];

  @Texts('Units.')
  readonly units!: string[];
}
