import { AppError } from '@kilotoken/platform';
import { z } from 'zod';

/** Strict parsers of command-line values. Each throws an AppError `argument_invalid` that names the option. */
const invalid = (option: string, right: string): AppError =>
  new AppError({ code: 'argument_invalid', kind: 'invalid', publicMessage: `${option}: ${right}` });

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const spanPattern = /^(\d{1,6})([smhd])$/;

/** `90s`, `15m`, `12h` or `30d`, in milliseconds. */
export const parseSpan = (option: string, text: string): number => {
  const [, count, unit] = spanPattern.exec(text) ?? [];
  if (count === undefined || unit === undefined) throw invalid(option, 'must be a span such as 15m, 12h or 30d');
  return Number(count) * unitMs[unit]!;
};

const momentSchema = z.union([z.iso.datetime({ offset: true }), z.iso.date()]);

/** A moment with its time zone, a day (its start in UTC), or a span from now. */
export const parseMoment = (option: string, text: string, now: Date): Date => {
  if (spanPattern.test(text)) return new Date(now.getTime() + parseSpan(option, text));
  if (!momentSchema.safeParse(text).success) throw invalid(option, 'must be a moment such as 2027-01-31T18:00:00Z, a day such as 2027-01-31 or a span such as 30d');
  return new Date(text);
};

/** The same, but a span lies before now. */
export const parsePast = (option: string, text: string, now: Date): Date =>
  spanPattern.test(text) ? new Date(now.getTime() - parseSpan(option, text)) : parseMoment(option, text, now);

export const parseNames = (option: string, text: string): string[] => {
  const names = text.split(',').map((name) => name.trim());
  if (names.some((name) => name === '')) throw invalid(option, 'must be names separated by commas');
  return names;
};

export const parseWhole = (option: string, text: string): number => {
  if (!/^\d{1,9}$/.test(text)) throw invalid(option, 'must be a whole number');
  return Number(text);
};
