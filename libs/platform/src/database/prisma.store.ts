import type { RawDb } from './raw-db.js';

/** Database time (`kt_now()`), to the millisecond. It stands still inside a transaction. */
export const readDatabaseNow = async (db: RawDb): Promise<Date> => {
  const rows = await db.$queryRaw<{ now: Date }[]>`SELECT kt_now() AS now`;
  return rows[0]!.now;
};
