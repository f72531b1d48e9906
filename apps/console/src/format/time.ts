import { dateFormat, numberFormat, relativeFormat } from './formatters.ts';

/** Dates for a reader, in the reader's own time zone. */
export const dateTimeText = (at: string, locale: string): string => dateFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' }).format(new Date(at));

export const shortDateTimeText = (at: string, locale: string): string =>
  dateFormat(locale, { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(new Date(at));

export const dateText = (at: string, locale: string, timeZone?: string): string => dateFormat(locale, { dateStyle: 'medium', timeZone }).format(new Date(at));

const steps = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['week', 604_800],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
] as const;

/** Two weeks are told in days still, and two months in weeks: “in 1 month” would hide most of either. */
const fromLength: Partial<Record<(typeof steps)[number][0], number>> = { week: 1_209_600, month: 5_184_000 };

export const relativeText = (at: string, locale: string, nowMs: number = Date.now()): string => {
  const seconds = (Date.parse(at) - nowMs) / 1_000;
  const format = relativeFormat(locale);
  for (const [unit, length] of steps) if (Math.abs(seconds) >= (fromLength[unit] ?? length)) return format.format(Math.trunc(seconds / length), unit);
  return Math.abs(seconds) < 1 ? new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }).format(0, 'second') : format.format(Math.trunc(seconds), 'second');
};

export const durationText = (milliseconds: number, locale: string): string => {
  const inSeconds = milliseconds >= 1_000;
  return numberFormat(locale, { style: 'unit', unit: inSeconds ? 'second' : 'millisecond', unitDisplay: 'short', maximumFractionDigits: inSeconds ? 2 : 0 }).format(
    inSeconds ? milliseconds / 1_000 : milliseconds,
  );
};

/** The label of a bucket of a chart; buckets begin at the organization's own midnight, so its zone names them. */
export const bucketText = (at: string, grain: 'MINUTE' | 'HOUR' | 'DAY' | 'MONTH', locale: string, timeZone: string): string => {
  const parts: Readonly<Record<typeof grain, Intl.DateTimeFormatOptions>> = {
    MINUTE: { hour: '2-digit', minute: '2-digit' },
    HOUR: { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' },
    DAY: { month: 'short', day: 'numeric' },
    MONTH: { year: 'numeric', month: 'short' },
  };
  return dateFormat(locale, { ...parts[grain], timeZone }).format(new Date(at));
};
