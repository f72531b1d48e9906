/**
 * Calendar windows. An instant is in a window if its local wall time is: at the end of summer time the repeated hour is in it twice, at its
 * beginning the skipped hour never. A window that passes midnight belongs to the day on which it begins, for weekdays and holidays alike: with
 * days [fri] and 22:00 to 08:00, Saturday 03:00 is in it and Friday 03:00 is not.
 */
import type { BookWindow, PriceBook, Weekday } from '../book/price-book.js';
import { clockOf, dayMs, localMidnight } from './zone-clock.js';

export type WindowTest = (atMs: number) => boolean;

/** 1 January 1970 was a Thursday. */
const weekdaysFromEpoch: readonly Weekday[] = ['thu', 'fri', 'sat', 'sun', 'mon', 'tue', 'wed'];

const minutesOf = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5));

export const compileWindow = (window: BookWindow, book: Pick<PriceBook, 'zone' | 'holidays'>): WindowTest => {
  const clock = clockOf(window.zone ?? book.zone);
  const [fromMs, toMs] = [minutesOf(window.from ?? '00:00') * 60_000, minutesOf(window.to ?? '24:00') * 60_000];
  const isDay = compileDays(window, book.holidays);
  const passesMidnight = toMs <= fromMs;
  return (atMs) => {
    const local = clock.localOf(atMs);
    const day = Math.floor(local / dayMs);
    const time = local - day * dayMs;
    if (!passesMidnight) return time >= fromMs && time < toMs && isDay(day);
    return (time >= fromMs && isDay(day)) || (time < toMs && isDay(day - 1));
  };
};

/** Days are counted from 1970 on. */
const compileDays = ({ days, holidays }: BookWindow, calendars: PriceBook['holidays']): ((day: number) => boolean) => {
  const isWeekday = weekdaysFromEpoch.map((name) => !days || days.includes(name));
  const onWeekday = (day: number): boolean => isWeekday[((day % 7) + 7) % 7]!;
  if (!holidays) return onWeekday;
  const [[rule, name]] = Object.entries(holidays) as [['exclude' | 'only' | 'include', string]];
  const dates = calendars[name];
  if (!dates) throw new RangeError(`there are no holidays called ${name}`);
  const holidayDays = new Set(dates.map((date) => localMidnight(date) / dayMs));
  if (rule === 'exclude') return (day) => onWeekday(day) && !holidayDays.has(day);
  if (rule === 'only') return (day) => onWeekday(day) && holidayDays.has(day);
  return (day) => onWeekday(day) || holidayDays.has(day);
};
