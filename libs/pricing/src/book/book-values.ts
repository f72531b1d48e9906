/**
 * The values that a price book is written in. Every number stands as exact decimal text, in the file and in memory: `0.15` is read from its
 * source text (book-file.ts) and never passes through a float.
 */
import { isTimeZone, parentClass, tokenClasses } from '@kilotoken/contracts';
import { z } from 'zod';

/** Everything that a rate can price: the token classes, and what is counted in other units. */
export const meters = [...tokenClasses, 'cached_audio_read', 'video_second', 'video_token', 'image', 'tool_call', 'storage_hour', 'request'] as const;
export type Meter = (typeof meters)[number];

/** The class whose price a class of tokens has where a model has none of its own. What is not counted in tokens has no entry. */
export const sideOf: Readonly<Partial<Record<Meter, 'input' | 'output'>>> = { ...parentClass, cached_audio_read: 'input' };

const decimalPattern = /^\d{1,26}(\.\d{1,12})?$/;
const wholePattern = /^\d{1,26}$/;

/** A whole number that a program passes is exact as it is; a fraction is not. */
const asText = (value: unknown): unknown => (typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value);

const explain = (text: string) => (issue: { readonly input?: unknown }): string => {
  if (typeof issue.input === 'string' && /^-/.test(issue.input.trim())) return `is negative: ${issue.input}. Write a number of 0 or more`;
  if (typeof issue.input === 'number') return `is ${issue.input}, which a program passed as a binary fraction. Write it as text, such as "0.15"`;
  return issue.input === undefined ? `is missing: write ${text}` : `is ${JSON.stringify(issue.input)?.slice(0, 60)}: write ${text}`;
};

const number = (pattern: RegExp, text: string) => z.preprocess(asText, z.string({ error: explain(text) }).regex(pattern, { error: explain(text) }));

/** An exact decimal of 0 or more, as text. */
export const decimal = number(decimalPattern, 'a plain decimal of at most 26 digits before the point and 12 after it, such as 0.15').meta({ id: 'Decimal' });
export const whole = number(wholePattern, 'a whole number, such as 1000000').meta({ id: 'Whole' });
/** A percentage from 0 to 100, as text. */
export const percent = number(/^(100(\.0{1,12})?|\d{1,2}(\.\d{1,12})?)$/, 'a percentage from 0 to 100, such as 50').meta({ id: 'Percent' });

/** Names of rates, windows, accumulators, calendars, tiers, modes and regions. */
export const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:/@+ -]{0,126}$/, 'must be a name: 1 to 127 letters, digits, spaces or . _ : / @ + -, the first one a letter or a digit')
  .meta({ id: 'Name' });
/** A model, as requests name it. Case does not matter. */
export const modelName = z.string().max(256).regex(/^[^\p{C}]+$/u, 'must be the name of a model, without control characters').meta({ id: 'ModelName' });
export const currency = z.string().regex(/^[A-Z]{3}$/, 'must be three capital letters, such as USD').meta({ id: 'Currency' });
export const meter = z.enum(meters).meta({ id: 'Meter' });

export const isDate = (text: string): boolean => {
  const at = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(text);
};
export const date = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}$/, 'must be a date, such as 2026-01-31')
  .refine(isDate, 'is no day of the calendar')
  .meta({ id: 'Date' });

const momentPattern = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})$/;
/** A moment with its offset, or a date: the midnight with which that day begins in the book's zone. */
export const moment = z
  .string()
  .refine((text) => (momentPattern.test(text) ? isDate(text.slice(0, 10)) && !Number.isNaN(Date.parse(text)) : isDate(text) && text.length === 10), {
    message: 'must be a date, such as 2026-01-31, or a moment with its offset, such as 2026-01-31T08:00:00+08:00',
  })
  .meta({ id: 'Moment' });

/** A local time of day; 24:00 is the day's end. */
export const timeOfDay = z.string().regex(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/, 'must be a time of day in quotes, such as "08:30"').meta({ id: 'TimeOfDay' });

export const zone = z.string().max(64).refine(isTimeZone, 'is no known time zone: write an IANA name, such as Asia/Shanghai').meta({ id: 'Zone' });
