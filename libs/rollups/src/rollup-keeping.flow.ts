import { AppError, changeThrough, sqlStateOf, type ControlPool } from '@kilotoken/platform';
import type { Pool } from 'pg';
import { compareWithUsage, type RollupProof } from './rollup-verification.store.js';
import { readRolledDays, rebuildDay } from './rollup.store.js';

/** Proofs and repairs of rollups by an operator's hand. */
const dayMs = 86_400_000;
const differencesMax = 100;
const daysPerRebuildMax = 3_700;

/** Whole days of UTC, [from, until). */
export interface DayRange {
  readonly from: Date;
  readonly until: Date;
}

const assertWholeDays = ({ from, until }: DayRange): void => {
  if (from.getTime() % dayMs === 0 && until.getTime() % dayMs === 0 && from < until) return;
  throw new AppError({ code: 'rollup_days_invalid', kind: 'invalid', publicMessage: 'The range must be of whole days in UTC, the first before the last.' });
};

/** Null where there is nothing to be rolled up yet. */
export const findRolledDays = async (pool: Pool): Promise<DayRange | null> => {
  const days = await readRolledDays(pool);
  return days && { from: days.first, until: new Date(days.last.getTime() + dayMs) };
};

export const verifyRollups = (pool: Pool, range: DayRange): Promise<RollupProof> => {
  assertWholeDays(range);
  return compareWithUsage(pool, range, differencesMax);
};

/**
 * Makes days anew from usage, each in a transaction of its own: readers see a day as it was, then as it is. Answers how many
 * usage rows were counted. Days of which usage has left the database are refused (`rollup_usage_archived`).
 */
export const rebuildRollups = async (pool: ControlPool, range: DayRange, onDay: (day: Date, rows: number) => void = () => undefined): Promise<number> => {
  assertWholeDays(range);
  let counted = 0;
  let days = 0;
  for (let at = range.from.getTime(); at < range.until.getTime() && days < daysPerRebuildMax; at += dayMs) {
    const day = new Date(at);
    const rows = await changeThrough(pool, null, (db) => rebuildDay(db, day)).catch((error: unknown) => {
      if (sqlStateOf(error) !== 'KT031') throw error;
      throw new AppError({ code: 'rollup_usage_archived', kind: 'conflict', publicMessage: `${day.toISOString().slice(0, 10)}: ${(error as Error).message}. Its rollups stand as they were.`, cause: error });
    });
    onDay(day, rows);
    counted += rows;
    days += 1;
  }
  return counted;
};
