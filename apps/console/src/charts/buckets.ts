import { dateFormat } from '../format/formatters.ts';

/**
 * Buckets of a time series, empty ones included, so that a quiet day is a gap and not a missing day.
 *
 *   bucketsBetween('2026-11-01T00:00:00Z', '2026-11-03T00:00:00Z', 'DAY', 'UTC') → keys '2026-11-01', '2026-11-02'
 */
export type Grain = 'MINUTE' | 'HOUR' | 'DAY' | 'MONTH';

export interface Bucket {
  /** Two moments in one bucket have one key. */
  readonly key: string;
  readonly at: string;
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const stepMs: Readonly<Record<Grain, number>> = { MINUTE: minuteMs, HOUR: hourMs, DAY: dayMs, MONTH: 7 * dayMs };
const bucketsMax = 3_000;

export const bucketKey = (at: string, grain: Grain, timeZone: string): string => {
  const ms = Date.parse(at);
  if (grain === 'MINUTE' || grain === 'HOUR') return String(Math.floor(ms / stepMs[grain]));
  // Canadian dates are written 2026-11-01, in order of size.
  const date = dateFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(ms);
  return grain === 'DAY' ? date : date.slice(0, 7);
};

/** Half a day past a midnight lies in the same calendar day, whatever the clocks do that day. */
const middleMs: Readonly<Record<Grain, number>> = { MINUTE: 0, HOUR: 0, DAY: dayMs / 2, MONTH: dayMs / 2 };

export const bucketsBetween = (from: string, until: string, grain: Grain, timeZone: string): readonly Bucket[] => {
  const buckets: Bucket[] = [];
  const endMs = Date.parse(until);
  for (let ms = Date.parse(from); ms < endMs && buckets.length < bucketsMax; ms += stepMs[grain]) {
    const at = new Date(Math.min(ms + middleMs[grain], endMs - 1)).toISOString();
    const key = bucketKey(at, grain, timeZone);
    if (buckets.at(-1)?.key !== key) buckets.push({ key, at });
  }
  return buckets;
};
