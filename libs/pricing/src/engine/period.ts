/**
 * Periods of accumulators and terms: calendar months, calendar quarters, and years from the start of a contract, all on a zone's local
 * calendar. A period begins with the first instant of its first local day and ends where the next one begins, so each instant is in exactly one. A contract
 * year that begins on 29 February renews on the last day of February.
 */
import type { Period } from '../book/price-book.js';
import { clockOf, localMidnight, type ZoneClock } from './zone-clock.js';

export interface PeriodSpan {
  readonly startMs: number;
  /** Exclusive. */
  readonly endMs: number;
}

/** Periods are numbered; each numbering answers the local midnight with which a period begins, and the period of a local time. */
interface Numbering {
  beginOf(index: number): number;
  indexAt(localMs: number): number;
}

const monthly = (months: number): Numbering => ({
  beginOf: (index) => Date.UTC(1970, index * months, 1),
  indexAt: (localMs) => {
    const at = new Date(localMs);
    return Math.floor(((at.getUTCFullYear() - 1970) * 12 + at.getUTCMonth()) / months);
  },
});

const yearly = (starts: string): Numbering => {
  const start = new Date(localMidnight(starts));
  const beginOf = (index: number): number => {
    const year = start.getUTCFullYear() + index;
    const lastDay = new Date(Date.UTC(year, start.getUTCMonth() + 1, 0)).getUTCDate();
    return Date.UTC(year, start.getUTCMonth(), Math.min(start.getUTCDate(), lastDay));
  };
  return {
    beginOf,
    indexAt: (localMs) => {
      const index = new Date(localMs).getUTCFullYear() - start.getUTCFullYear();
      return localMs < beginOf(index) ? index - 1 : index;
    },
  };
};

const months = monthly(1);
const quarters = monthly(3);

const numberingOf = (period: Period, contractStarts: string | null): Numbering => {
  if (period === 'month') return months;
  if (period === 'quarter') return quarters;
  if (contractStarts === null) throw new RangeError('a contract year needs the day on which the contract starts');
  return yearly(contractStarts);
};

const spanOf = (numbering: Numbering, index: number, clock: ZoneClock): PeriodSpan => ({ startMs: clock.dayBegins(numbering.beginOf(index)), endMs: clock.dayBegins(numbering.beginOf(index + 1)) });

export const periodAt = (period: Period, atMs: number, zone: string, contractStarts: string | null): PeriodSpan => {
  const numbering = numberingOf(period, contractStarts);
  const clock = clockOf(zone);
  const span = spanOf(numbering, numbering.indexAt(clock.localOf(atMs)), clock);
  // A clock that is set back over midnight shows a day's end again after the next period has begun.
  return atMs < span.endMs ? span : spanOf(numbering, numbering.indexAt(clock.localOf(atMs)) + 1, clock);
};
